"""Loads the scripts for Redis, each from a file beside the module that owns it.

Whoever owns a script says what it may assume and what it returns; here it is only read. A first
line `#!lua` makes the server refuse the whole script when its memory is short, `flags=allow-oom`
lets it run all the same, and `flags=no-writes` lets it run for users who may only look (EVAL_RO):
https://redis.io/docs/latest/develop/programmability/lua-api/#script_flags
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis

__all__ = ["script", "source"]

_USES: Final = re.compile(r"^-- uses: (\w+)\n", re.MULTILINE)


@cache
def source(package: str, path: str) -> str:
    """The text of a script, whose file is at `path` in `package`, such as `lua/ack.lua`.

    Where a line says `-- uses: refused`, it has that function, whose file is beside this module.
    """
    text = files(package).joinpath(path).read_text("utf-8")
    return _USES.sub(lambda line: source(__package__, f"{line[1]}.lua"), text)


def script(client: Redis, package: str, path: str) -> Any:
    """The same script as an async function of `keys` and `args` that returns the server's reply.

    It is carried out by EVALSHA, and sent whole to a server that does not know it yet.
    """
    return client.register_script(source(package, path))
