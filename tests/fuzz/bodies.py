"""Bodies worth reading: written by hand, sent by Bitrix24, and put together from their parts."""

import random
from pathlib import Path
from typing import Final

__all__ = ["FRAGMENTS", "SENT_NAMES", "assembled", "oddities", "wire_bodies"]

FRAGMENTS: Final = (
    *(b"a", b"b", b".", b"+", b" ", b"x.y", b"event", b"ts", b"auth", b"data", b"FIELDS", b"ID"),
    *(b"[", b"]", b"[]", b"[a]", b"[b]", b"[b", b"[+]", b"[ID]", b"[FIELDS]", b"[user_id]"),
    *(b"[a][7][]", b"[b][c]", b"%5Bd%5D%5B%5D%5B0%5D"),
    *(b"%5B", b"%5D", b"%5b", b"%5d", b"%5BID%5D", b"%5BFIELDS%5D", b"auth%5Buser_id%5D"),
    *(b"0", b"7", b"-7", b"07", b"[0]", b"[7]", b"[-7]", b"[07]", b"[-]", b"-"),
    *(b"[9223372036854775806]", b"[9223372036854775807]", b"[9223372036854775808]"),
    *(b"[-9223372036854775807]", b"[-9223372036854775808]", b"[-9223372036854775809]"),
    *(b"%", b"%4", b"%zz", b"%41", b"%00", b"%09", b"%20", b"%2B", b"%3D", b"%26", b"%25"),
    *(b"\0", b"\t", b"\n", b"%0b", b"%D0%96", b"\xd0\x96", b"%ff", b"\xff", b"%a0", b"%C2%B2"),
)
"""What names and values are made of; `=` and `&` stand between these."""

_SEPARATORS: Final = (b"=", b"=", b"=1&", b"&", b"&a=", b"&a[]=", b"&a", b"&auth[", b"")


def oddities() -> list[bytes]:
    """The bodies of oddities.txt, in order."""
    lines = Path(__file__).with_name("oddities.txt").read_bytes().splitlines()
    return [line for line in lines if line and not line.startswith(b"#")]


# The names of a comment event, in the order in which they are sent.
SENT_NAMES: Final = (
    *(b"event", b"event_handler_id", b"data%5BFIELDS%5D%5BID%5D", b"data%5BID%5D", b"ts"),
    *(b"auth%5Baccess_token%5D", b"auth%5Bexpires%5D", b"auth%5Bexpires_in%5D"),
    *(b"auth%5Bscope%5D", b"auth%5Bdomain%5D", b"auth%5Bclient_endpoint%5D"),
    *(b"auth%5Bserver_endpoint%5D", b"auth%5Bstatus%5D", b"auth%5Bmember_id%5D"),
    *(b"auth%5Buser_id%5D", b"auth%5Bapplication_token%5D"),
)


def wire_bodies() -> list[bytes]:
    """The bodies of Bitrix24, in the order of their names."""
    folder = Path(__file__).parent.parent / "wire"
    return [path.read_bytes() for path in sorted(folder.glob("*.form"))]


def assembled(count: int, seed: int) -> list[bytes]:
    """Bodies put together at random, the same ones for the same seed."""
    chance = random.Random(seed)

    def stretch() -> bytes:
        fragments = chance.choices(FRAGMENTS, k=chance.randint(1, 3))
        return b"".join(fragments) + chance.choice(_SEPARATORS)

    return [b"".join(stretch() for _ in range(chance.randint(1, 6))) for _ in range(count)]
