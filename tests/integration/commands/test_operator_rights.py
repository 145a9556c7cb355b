"""The commands that repair, as a user of Redis with just the documented rights."""

import json
import time
from typing import Any

from cryptography.fernet import Fernet
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.contract import encode_event
from gateway.inbound.delivery import Delivery
from gateway.portals.application_tokens import digest_of
from gateway.portals.quarantine import Quarantine, sealed
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX
from gateway.settings import QuarantineSettings, VaultSettings
from gateway.vault.encryption import Vault
from tests.integration.runtime.running import comment_event, gateway
from tests.support.redis_users import denied, rights_of

EVENTS, DEAD, AGAIN = "b24:events:{0}", "b24:dead:index:{0}", "b24:replay:index:{0}"
NOW_MS = int(time.time() * 1000)
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
TOKENS = "fake-token-one", "fake-token-two"


async def quarantined(redis: Redis) -> None:
    """A delivery that came with each of the tokens, sealed by the older key."""
    vault = Vault.of(VaultSettings(keys=(OLD,)))
    assert vault is not None
    for number, token in enumerate(TOKENS):
        portal = replace(SANDBOX, application_token=token)
        body = body_of("comment.added", portal=portal, ts=NOW_MS // 1000, subject_id=number + 1)
        delivery = Delivery(SANDBOX.member_id, f"receipt-{number}", NOW_MS, body)
        await Quarantine(redis, QuarantineSettings(), prefix="b24").keep(
            [sealed(delivery, digest_of(token), vault)], now_ms=NOW_MS
        )


async def test_the_documented_rights_of_who_repairs_suffice(
    redis: Redis, users: Any, limited_url: str
) -> None:
    for number in (1, 2, 3):
        event: Any = {"event": encode_event(comment_event(number))}
        await redis.xadd(EVENTS, event, id=f"{number}-0")
    for number in (1, 2):
        letter: Any = {"event": encode_event(comment_event(number)), "group": "index"}
        await redis.xadd(DEAD, letter | {"stream": "events", "entry_id": f"{number}-0"})
    await redis.xgroup_create(EVENTS, "index", "$")
    await quarantined(redis)
    await users(*rights_of("operator"))
    portal, domain = SANDBOX.member_id, SANDBOX.domain
    keys = json.dumps([NEW, OLD])

    async def call(*arguments: str) -> str:
        return await gateway(limited_url, *arguments, GATEWAY_VAULT_KEYS=keys)

    letters = [json.loads(line) for line in (await call("dead", "list", "--json")).splitlines()]
    await call("dead", "retry", "--group", "index", letters[0]["address"])
    await call("dead", "drop", "--group", "index", letters[1]["address"])
    await call("replay", "--group", "index", "--from", "1-0")
    await call("portals", "add", portal, "--domain", domain, "--token", TOKENS[0])
    await call("vault", "rotate")
    await call("portals", "quarantine", "admit", portal, "--receipt-id", "receipt-0")
    await call("portals", "quarantine", "drop", portal, "--yes")
    await call("portals", "remove", portal)
    await call("groups")
    await call("groups", "pause", "index", "--portal", "aaa")
    await call("groups", "resume", "index", "--portal", "aaa")
    await call("groups", "strike", "index", "--portal", "aaa")
    await call("groups", "unstrike", "index", "--all")

    assert await denied(redis) == []
    assert await redis.xlen(DEAD) == 0
    assert await redis.xlen(AGAIN) == 1 + 3
    assert await redis.xlen(EVENTS) == 3 + 1
    assert await redis.exists(f"b24:quarantine:{{{portal}}}") == 0

    await call("groups", "remove", "index", "--yes")
    assert await denied(redis) == []
    assert await redis.xinfo_groups(EVENTS) == []
