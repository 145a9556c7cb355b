"""Writes the accounts of gateway.doctor.redis_accounts down, for Redis and for people.

`python -m tests.redis_users deploy/redis/users.acl docs/redis-rights.md`, which is part of
`make docs`. The file is loaded by Redis as it is, and has no comments, which Redis would refuse.
Of the page the blocks that begin with `ACL SETUSER` are written anew.
"""

import re
import sys
from pathlib import Path
from textwrap import fill
from typing import Final

from gateway.doctor.redis_accounts import ACCOUNTS, RedisAccount

__all__ = ["BLOCK", "acl_file", "with_blocks"]

BLOCK: Final = re.compile(r"```\nACL SETUSER (\w+) [^`]+```")
_ADMIN: Final = "user admin on >REPLACE-THIS-FAKE-PASSWORD-of-admin ~* &* +@all"
_WIDTH: Final = 128


def acl_file() -> str:
    """A line for each account, and one for whoever administers the server; no default user."""
    lines = ["user default off", _ADMIN]
    for account in ACCOUNTS.values():
        password = f"REPLACE-THIS-FAKE-PASSWORD-of-{account.name}"
        lines.append(f"user {account.name} on >{password} {' '.join(account.words())}")
    return "".join(f"{line}\n" for line in lines)


def with_blocks(page: str) -> str:
    """The page with the blocks as the accounts are now."""
    return BLOCK.sub(lambda found: _block(ACCOUNTS[found[1]]), page)


def _block(account: RedisAccount) -> str:
    lines = [_wrapped(" ".join(some)) for some in (account.rule.keys, account.rule.commands)]
    for one in account.selectors:
        whole = f"  ({' '.join((*one.keys, *one.commands))})"
        apart = [
            _wrapped(f"({' '.join(one.keys)}", then=3),
            _wrapped(f"{' '.join(one.commands)})", first=3, then=3),
        ]
        lines += [whole] if len(whole) <= _WIDTH else apart
    return "\n".join(["```", f"ACL SETUSER {account.name} on >fake-password", *lines, "```"])


def _wrapped(text: str, *, first: int = 2, then: int = 2) -> str:
    return fill(
        text,
        _WIDTH,
        initial_indent=" " * first,
        subsequent_indent=" " * then,
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    file, page = map(Path, sys.argv[1:])
    file.parent.mkdir(exist_ok=True)
    file.write_text(acl_file(), encoding="utf-8")
    page.write_text(with_blocks(page.read_text(encoding="utf-8")), encoding="utf-8")
