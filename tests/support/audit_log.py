"""What the tests of the audit log share: entries, a clock to turn, and ways to tamper."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from consumers.audit.chain import Chain
from consumers.audit.chain_options import ChainOptions
from consumers.audit.chain_verification import verify_chain
from consumers.audit.day_files import day_files, open_lines
from consumers.audit.findings import ChainReport
from consumers.audit.signing import SigningKey
from gateway.contract import COMMENT_UPDATED, CommentData, CommentEvent, encode_event, source_of

MEMBER = "a223c6b3710f85df22e9377d6c4f7553"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Given(Struct, frozen=True):
    """A stream entry as the log sees it."""

    id: str
    raw: bytes


def event_id(number: int) -> str:
    return f"01936b2e-0000-7000-8000-{number:012d}"


def entry(number: int, *, member_id: str = MEMBER) -> Given:
    event = CommentEvent(
        id=event_id(number),
        source=source_of(member_id),
        type=COMMENT_UPDATED,
        subject=f"comment/{number}",
        time="2026-11-20T12:00:00Z",
        receivedat="2026-11-20T12:00:00.412Z",
        data=CommentData(
            comment_id=number, member_id=member_id, domain="acme.bitrix24.com", user_id=7
        ),
    )
    return Given(f"{int(START.timestamp() * 1000) + number}-0", encode_event(event))


def entries(first: int, last: int) -> list[Given]:
    return [entry(number) for number in range(first, last + 1)]


class Clock:
    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


def a_key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


def write(
    root: Path,
    key: SigningKey | None,
    *days: Sequence[Given],
    every: int = 8,
    start: datetime = START,
) -> Path:
    """A closed chain with one file per day; returns its directory."""
    clock = Clock(start)
    options = ChainOptions(signer=key, checkpoint_every=every, clock=clock)
    chain = Chain.open(root, "events", 0, options)
    for day in days:
        chain.append(day)
        clock.turn(days=1)
    chain.close()
    return chain.directory


def verify(chain: Path, *keys: SigningKey) -> ChainReport:
    return verify_by_key(chain, *(key.public_key for key in keys))


def verify_by_key(chain: Path, *public_keys: str) -> ChainReport:
    return verify_chain(chain, keys=public_keys)


def lines_of(chain: Path) -> list[bytes]:
    found: list[bytes] = []
    for file in day_files(chain):
        with open_lines(file) as lines:
            found += lines
    return found


def logged(chain: Path) -> list[str]:
    """The entry ids in a chain, in its order."""
    records = [msgspec.json.decode(line) for line in lines_of(chain)]
    return [record["entry"] for record in records if record["kind"] == "event"]


def tamper(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Rewrite a file by a function of its lines."""
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
