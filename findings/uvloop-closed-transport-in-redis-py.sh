#!/usr/bin/env bash
# uvloop 0.23.0 with redis-py 8.1.0: a connection that is reset before its first command
#
# A server, or a proxy whose backend is down, accepts a connection and resets it at once. If the reset
# is read between connecting and writing the first command, asyncio's transport takes the write and
# drain() raises ConnectionResetError; uvloop's raises a bare RuntimeError ("the handler is closed").
# redis-py turns OSError into its ConnectionError, repeats on that, and passes the RuntimeError on: an
# `except (redis.ConnectionError, redis.TimeoutError, OSError)`, which is all that its documentation
# names for a server that cannot be reached, does not catch it, and the client's Retry does not repeat.
#
# Expected: ConnectionError, whichever event loop there is.
# What to do: a connection class whose send_packed_command raises ConnectionError for it.
#
# Seen (how many of 300 attempts depends on the machine):
#   asyncio: only ConnectionError
#   uvloop: ConnectionError and RuntimeError
#
# https://github.com/MagicStack/uvloop/blob/v0.23.0/uvloop/handles/handle.pyx
# https://redis.readthedocs.io/en/stable/exceptions.html
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install redis==8.1.0 uvloop==0.23.0

timeout 120 "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import socket
import struct
import sys
import threading

import uvloop
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def reset_all(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


async def errors(port: int) -> set[str]:
    seen = set()
    for _ in range(300):
        client = Redis(port=port, retry=Retry(NoBackoff(), 0))
        try:
            await client.ping()
        except Exception as error:
            seen.add(type(error).__name__)
        await client.aclose()
    return seen


with socket.create_server(("127.0.0.1", 0)) as listener:
    threading.Thread(target=reset_all, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
    by_loop = {"asyncio": asyncio.run(errors(port)), "uvloop": uvloop.run(errors(port))}
for loop, seen in by_loop.items():
    print(f"{loop}: {', '.join(sorted(seen))}")
sys.exit(
    by_loop["asyncio"] != {"ConnectionError"}
    or by_loop["uvloop"] != {"ConnectionError", "RuntimeError"}
)
PYTHON
