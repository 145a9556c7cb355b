#!/usr/bin/env bash
# redis-py 8.1.0, asyncio: with TLS, closing a client fails where its server hangs
#
# Connection.disconnect() closes the writer and waits until it is closed. With TLS that takes the other
# side's close_notify, which a server that hangs does not send; after socket_connect_timeout redis-py
# raises its TimeoutError, out of aclose(), out of `async with`, out of whatever tidies up just because
# the server hangs. Without TLS nothing is waited for. The socket is left open for asyncio's thirty seconds.
#
# Expected: closing a client closes it, and takes the lack of a farewell for none, as TLS allows.
# What to do: a connection class whose disconnect() aborts the transport instead.
#
# Seen:
#   without TLS: closed
#   with TLS: TimeoutError: Timed out closing connection after 1
#
# https://github.com/redis/redis-py/blob/v8.1.0/redis/asyncio/connection.py
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install redis==8.1.0 trustme==1.2.1

cat > "$folder/server.py" <<'PYTHON'
"""Answers each command with OK, with TLS and without, until it is stopped."""
import asyncio
import ssl
import sys

async def answer(reader, writer):
    while await reader.read(4096):
        writer.write(b"+PONG\r\n")

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    plain = await asyncio.start_server(answer, "127.0.0.1", 0)
    secure = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    print(plain.sockets[0].getsockname()[1], secure.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
PYTHON

timeout 60 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio
import os
import signal
import subprocess
import sys

import trustme
from redis.asyncio import Redis

folder = sys.argv[1]
authority = trustme.CA()
authority.cert_pem.write_to_path(f"{folder}/ca.pem")
authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(f"{folder}/server.pem")


async def closing(pid: int, port: int, **tls: object) -> str:
    options = {"driver_info": None, "protocol": 2, "socket_connect_timeout": 1}
    client = Redis(host="127.0.0.1", port=port, **options, **tls)
    assert await client.ping()
    os.kill(pid, signal.SIGSTOP)
    try:
        await client.aclose()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        os.kill(pid, signal.SIGCONT)
    return "closed"


server = subprocess.Popen(
    [sys.executable, f"{folder}/server.py", f"{folder}/server.pem"], stdout=subprocess.PIPE, text=True
)
try:
    plain, secure = map(int, server.stdout.readline().split())
    without = asyncio.run(closing(server.pid, plain))
    tls = {"ssl": True, "ssl_ca_certs": f"{folder}/ca.pem"}
    with_tls = asyncio.run(closing(server.pid, secure, **tls))
finally:
    server.kill()
print("without TLS:", without)
print("with TLS:", with_tls)
sys.exit(without != "closed" or not with_tls.startswith("TimeoutError: Timed out closing"))
PYTHON
