"""Describes what a verification says of a chain: what it holds, and the first fault in it."""

from typing import Literal

from msgspec import Struct

__all__ = ["Anchor", "Broken", "ChainFault", "ChainReport", "What"]

What = Literal[
    "changed",  # its bytes do not give its hash
    "missing",  # records or files are gone
    "reordered",  # the record stands elsewhere
    "repeated",  # the record stands twice
    "replaced",  # whole in itself, but it does not follow on from the record before
    "lost",  # acknowledged entries are not in the log, which says so itself
    "truncated",  # the log ends before its head
    "forged",  # a signature, or what it vouches for, does not fit
    "unsigned",  # a signature that has to be there is not
    "misplaced",  # the record belongs to another file or chain
]


class Anchor(Struct, frozen=True):
    """A record that a chain held when somebody noted it down, `<chain>:<seq>:<hash>` in text."""

    chain: str
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.seq}:{self.hash}"

    @classmethod
    def of(cls, text: str) -> "Anchor":
        """Read what `str` gives. Raises ValueError."""
        chain, _, rest = text.partition(":")
        seq, _, digest = rest.partition(":")
        if not chain or not seq.isdecimal() or len(digest) != 64:
            raise ValueError(f"{text!r} is no anchor, such as events-0:12:5f…")
        return cls(chain, int(seq), digest)


class ChainFault(Struct, frozen=True, kw_only=True):
    """The first thing that is wrong with a chain. `line` counts from 1 within the file."""

    what: What
    file: str
    line: int | None = None
    seq: int | None = None
    detail: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.what}: {self.detail}"


class Broken(Exception):
    """A check of a chain ends here, with its first fault."""

    def __init__(self, fault: ChainFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class ChainReport(Struct, kw_only=True):
    """One chain: `first_seq` is above 1 where retention removed older files.

    `signed_count` of the checkpoints are signed. `notes` are true of a whole log too.
    """

    chain: str
    files: int = 0
    records: int = 0
    events: int = 0
    first_seq: int = 0
    last_seq: int = 0
    last_hash: str = ""
    first_day: str = ""
    last_day: str = ""
    checkpoints: int = 0
    signed_count: int = 0
    keys: list[str] = []
    fault: ChainFault | None = None
    notes: list[str] = []

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None

    @property
    def anchor(self) -> Anchor:
        """The last record of the chain."""
        return Anchor(self.chain, self.last_seq, self.last_hash)
