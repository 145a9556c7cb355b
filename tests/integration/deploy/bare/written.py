"""What an installation has written, to see whether a further run changes anything of it."""

import hashlib
from pathlib import Path

__all__ = ["everything"]


def everything(root: Path) -> dict[str, tuple[int, int, int, str]]:
    """Of each file: mode, owner, group, and a digest of what is in it or where it leads."""
    found = {}
    for place in ("etc", "opt", "usr/local", "var/lib/gateway"):
        for path in sorted((root / place).rglob("*")):
            stat = path.lstat()
            found[str(path.relative_to(root))] = (
                stat.st_mode,
                stat.st_uid,
                stat.st_gid,
                _within(path),
            )
    return found


def _within(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
