"""Deliveries with a wrong token, sealed and counted."""

from pathlib import Path
from time import time_ns
from typing import Any

from cryptography.fernet import Fernet
from redis.asyncio import Redis

from gateway import settings
from gateway.inbound.delivery import Delivery
from gateway.portals.quarantine import Quarantine
from gateway.vault.encryption import Vault

BODY = (Path(__file__).parents[2] / "wire" / "comment-updated.app.form").read_bytes()


MEMBER = "010b6886ebc205e43ae65000ee00addb"


OLD_TOKEN = "3c6c9248ec54af6bea1159b43ee0ab32"


NOW_MS = time_ns() // 1_000_000


KEY = Fernet.generate_key().decode()


def vault_of(*keys: str) -> Vault:
    vault = Vault.of(settings.VaultSettings(keys=keys))
    assert vault is not None
    return vault


VAULT = vault_of(KEY)


def quarantine_of(redis: Redis, **limits: Any) -> Quarantine:
    return Quarantine(redis, settings.QuarantineSettings(**limits), prefix="b24")


def delivery(
    number: int = 1, *, member_id: str = MEMBER, body: bytes = BODY, at_ms: int = NOW_MS
) -> Delivery:
    return Delivery(member_id, f"receipt-{number:06}", at_ms + number, body)


async def receipt_ids(quarantine: Quarantine, member_id: str = MEMBER) -> list[str]:
    return [one.receipt_id for one in await quarantine.of(member_id)]
