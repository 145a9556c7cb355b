#!/usr/bin/env bash
# Redis 7.0.15, the package redis-server of Debian 12, with appendonly yes
#
# What a group has read is kept over a restart, but not how much: the append-only file tells of each
# read (XCLAIM, XGROUP SETID) without the number entries-read. After a plain restart, in which no
# entry, position or pending entry is lost, entries-read is that of the last rewrite of the file, and
# lag is too high by what was read since: 60 where 10 are waiting. Without a rewrite since the group
# was made both are nil. It goes on so until the group has read the stream to its end.
#
# Expected: the same numbers before and after.
# What to do: believe neither number on Redis before 7.4 once a server has started; count with XRANGE
# from the group's last-delivered-id. Never take the difference for lost entries.
#
# Seen:
#   before the restart: entries-read 150, lag 10, not read: 10
#   after the restart: entries-read 100, lag 60, not read: 10
#
# https://github.com/redis/redis/pull/12898
set -euo pipefail

folder=$(mktemp -d)
server_pid=
cleanup() {
  [ -z "$server_pid" ] || { kill "$server_pid" && wait "$server_pid" || true; }
  rm -rf "$folder"
}
trap cleanup EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install redis==8.1.0
cd "$folder"
packages=(redis-tools libatomic1 libjemalloc2 liblua5.1-0 liblzf1 lua-bitop lua-cjson)
apt-get -qq download "${packages[@]}" 2>log || { apt-get -qq update; apt-get -qq download "${packages[@]}" 2>log; }
for package in *.deb; do dpkg -x "$package" root; done
start() {
  # The package redis-server has but a link; the program of all names is in redis-tools.
  LD_LIBRARY_PATH=root/usr/lib/$(uname -m)-linux-gnu bash -c 'exec -a redis-server root/usr/bin/redis-check-rdb "$@"' - \
    --port 0 --unixsocket "$folder/socket" --appendonly yes --dir "$folder" >log &
  server_pid=$!
}
cat >lag.py <<'PYTHON'
import sys
import time

import redis

client = redis.Redis(unix_socket_path="socket")
while True:
    try:
        if not client.info("persistence")["loading"]:
            break
    except redis.ConnectionError:
        time.sleep(0.05)
if sys.argv[1] == "before":
    client.xgroup_create("stream", "group", "0", mkstream=True)
    for _ in range(160):
        client.xadd("stream", {"field": "value"})
    client.xreadgroup("group", "consumer", {"stream": ">"}, count=100)
    client.bgrewriteaof()
    while client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.05)
    client.xreadgroup("group", "consumer", {"stream": ">"}, count=50)
group = client.xinfo_groups("stream")[0]
after = client.xrange("stream", b"(" + group["last-delivered-id"])
print(f"entries-read {group['entries-read']}, lag {group['lag']}, not read: {len(after)}")
PYTHON
for when in before after; do
  start
  timeout 30 venv/bin/python lag.py $when >"$when"
  [ $when = after ] || { kill "$server_pid"; wait "$server_pid" || true; server_pid=; rm -f socket; }
  echo "$when the restart: $(cat $when)"
done
grep -q '^entries-read 150, lag 10, not read: 10$' before
grep -q '^entries-read 100, lag 60, not read: 10$' after
