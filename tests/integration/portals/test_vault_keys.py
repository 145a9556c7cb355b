"""Keys of the vault are changed without losing anything that is kept by them."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from msgspec import json
from redis.asyncio import Redis

from consumers.enricher.snapshots import CommentSnapshot, Snapshots
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.token_store import TokenStore
from gateway.bitrix24.tokens import Tokens
from gateway.cli import cli
from gateway.contract import Comment, Streams
from gateway.inbound.delivery import Delivery
from gateway.portals.quarantine import Quarantine, opened, sealed
from gateway.settings import QuarantineSettings, VaultSettings
from gateway.vault.encryption import Vault
from gateway.vault.resealing import Resealing

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
TOKENS = Tokens(
    member_id="m1",
    endpoint="https://m1.example/rest/",
    user_id=1,
    access_token="fake-access",
    expires_at=1,
    refresh_token="fake-refresh",
    renewed_at=int(time.time()),
)


def vault_of(*keys: str) -> Vault:
    vault = Vault.of(VaultSettings(keys=keys))
    assert vault is not None
    return vault


class Kept:
    """One thing of each kind, read with these keys."""

    def __init__(self, redis: Redis, *keys: str) -> None:
        self.redis = redis
        self.vault = vault_of(*keys)
        self.tokens = TokenStore(redis, self.vault, prefix="b24")
        self.quarantine = Quarantine(redis, QuarantineSettings(), prefix="b24")
        self.snapshots = Snapshots(redis, self.vault, Streams(), kept_days=30)
        self.resealing = Resealing(redis, self.vault, prefix="b24")

    async def keep(self) -> None:
        await self.tokens.install(TOKENS)
        now_ms = int(time.time() * 1000)
        delivery = Delivery("m1", "receipt", now_ms, b"fake")
        await self.quarantine.keep([sealed(delivery, b"d" * 32, self.vault)], now_ms=now_ms)
        comment = Comment(state="present", text="x", author_id=7)
        for write in self.snapshots.writes(0, "m1", Wanted.comment(1), comment):
            await self.redis.execute_command(write.command, write.key, *write.arguments)  # type: ignore[no-untyped-call]

    async def is_readable(self) -> bool:
        (kept,) = await self.quarantine.of("m1")
        wanted = Wanted.comment(1)
        snapshot = (await self.snapshots.read(0, "m1", [wanted]))[wanted]
        return (
            opened(kept, self.vault).body == b"fake"
            and isinstance(snapshot, CommentSnapshot)
            and snapshot.author_id == 7
            and await self.tokens.read("m1") == TOKENS
        )


async def test_an_old_key_may_go_when_everything_is_sealed_anew(redis: Redis) -> None:
    await Kept(redis, OLD).keep()
    both = Kept(redis, NEW, OLD)
    kinds = {"tokens", "quarantine", "snapshots"}
    assert {kind: dict(one) for kind, one in (await both.resealing.census()).items()} == (
        {key: {2: 1} for key in kinds}
    )
    lives = {key: await redis.pttl(key) for key in await redis.keys("b24:*")}

    assert await both.resealing.reseal() == 3
    assert await both.resealing.reseal() == 0

    assert await Kept(redis, NEW).is_readable()
    assert {kind: dict(one) for kind, one in (await both.resealing.census()).items()} == (
        {key: {1: 1} for key in kinds}
    )
    for key, life_ms in lives.items():
        assert life_ms - 60_000 < await redis.pttl(key) <= life_ms


async def test_what_no_key_opens_is_counted_and_left_alone(redis: Redis) -> None:
    await Kept(redis, OLD).keep()
    other = Kept(redis, NEW)
    assert await other.resealing.reseal() == 0
    assert all(one[None] == 1 for one in (await other.resealing.census()).values())
    assert await Kept(redis, OLD).is_readable()


async def test_the_command_says_which_key_is_unused(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    await Kept(redis, OLD).keep()
    monkeypatch.setenv("GATEWAY_REDIS_URL", redis_url)
    monkeypatch.setenv("GATEWAY_VAULT_KEYS", json.encode([NEW, OLD]).decode())

    async def called(*arguments: str) -> tuple[int, Sequence[str]]:
        done = await asyncio.to_thread(CliRunner().invoke, cli, ["vault", *arguments])
        return done.exit_code, [line.split()[-1] for line in done.output.splitlines()]

    assert await called("check") == (0, ["USE", "newest", "needed"])
    assert await called("rotate", "--json") == (0, ['{"sealed":3}'])
    assert await called("check") == (0, ["USE", "newest", "unused"])
    monkeypatch.setenv("GATEWAY_VAULT_KEYS", json.encode([OLD]).decode())
    assert await called("check") == (1, ["USE", "newest", "unreadable"])
