"""Looks at files and disks of this machine: who may read secrets, and where events are kept."""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from gateway.doctor.finding import Finding, note, red, warning
from gateway.settings import Settings
from gateway.settings.secret_places import SecretPlace, secret_places

__all__ = ["look_at_files"]

_MOUNTS: Final = Path("/proc/mounts")
_FORGETFUL: Final = frozenset({"tmpfs", "ramfs"})
_SCARCE_BYTES: Final = 64 << 20
_KEY_YEARS: Final = 1.0
_YEAR_S: Final = 365 * 86_400.0


def look_at_files(settings: Settings, file: Path | None, *, now: float) -> Iterator[Finding]:
    """What is wrong with files and directories; `file` holds the settings, `now` is Unix time.

    A directory that is not there yet is made by the process that needs it, so it is no fault if it
    can be made. Reads no secret.
    """
    places = secret_places(settings)
    if file is not None:
        yield from _settings_file(file, places)
    yield from _secret_files(places, now=now)
    yield from _spool(Path(settings.spool.dir), settings.spool.max_bytes)
    for name, directory in (
        ("[audit] dir", settings.audit.dir),
        ("[warehouse] work_dir", settings.warehouse.work_dir),
    ):
        if Path(directory).exists():
            yield from _private(name, Path(directory))


def _settings_file(file: Path, places: Iterable[SecretPlace]) -> Iterator[Finding]:
    mode = file.stat().st_mode
    if mode & stat.S_IWOTH:
        yield red(
            "settings file",
            f"{file} may be written by everybody on this machine",
            f"chmod o-w {file}",
        )
    literal = [one.name for one in places if one.is_literal]
    if literal and mode & stat.S_IROTH:
        yield red(
            "settings file",
            f"{file} may be read by everybody on this machine, and secrets stand in the settings: "
            f"{', '.join(literal)}",
            f"chmod 600 {file}; better, let env:NAME or file:/path name each secret",
        )
    elif literal:
        yield note(
            "settings file",
            f"secrets stand in the settings themselves: {', '.join(literal)}",
            "env:NAME or file:/path keeps them out of copies of the file",
        )


def _secret_files(places: Iterable[SecretPlace], *, now: float) -> Iterator[Finding]:
    for one in places:
        if one.file is None:
            continue
        try:
            about = Path(one.file).stat()
        except OSError:
            continue  # which the settings' own check tells
        if about.st_mode & stat.S_IRWXO:
            yield red(
                "secret files",
                f"{one.file} ({one.name}) may be read or written by everybody on this machine",
                f"chmod o= {one.file}",
            )
        years = (now - about.st_mtime) / _YEAR_S
        if one.name == "[vault] keys" and years > _KEY_YEARS:
            yield note(
                "vault",
                f"the key in {one.file} has not been changed for {years:.1f} years",
                "put a new one before it, start the processes again, then `gateway vault rotate`",
            )


def _spool(directory: Path, max_bytes: int) -> Iterator[Finding]:
    there = next(one for one in (directory, *directory.absolute().parents) if one.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        yield red(
            "spool",
            f"[spool] dir {directory} cannot be written by this user",
            f"chown {there} to the receiver's user",
        )
        return
    if there == directory:
        yield from _private("[spool] dir", directory)
    if (kind := _file_system(there)) in _FORGETFUL:
        yield red(
            "spool",
            f"[spool] dir {directory} is in memory ({kind}): a restart loses what waits in it",
            "let it be on a disk",
        )
    free = shutil.disk_usage(there).free
    if free < max_bytes:
        make = red if free < _SCARCE_BYTES else warning
        yield make(
            "spool",
            f"{_megabytes(free)} are free for a spool of up to {_megabytes(max_bytes)}: it is full "
            "before its time, and then deliveries are refused",
            "make room on the disk, or set [spool] max_bytes to what there is",
        )


def _private(name: str, directory: Path) -> Iterator[Finding]:
    if directory.stat().st_mode & stat.S_IRWXO:
        yield warning(
            "directories",
            f"{name} {directory} is open to everybody on this machine",
            f"chmod o= {directory}",
        )


def _file_system(path: Path) -> str | None:
    """The kind of file system that a path is on; None where this system does not tell."""
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return None
    resolved, best, kind = path.resolve(), Path("/"), None
    for line in lines:
        _device, mounted, its_kind, *_ = line.split(" ")
        point = Path(mounted.encode().decode("unicode_escape"))
        if resolved.is_relative_to(point) and point.is_relative_to(best):
            best, kind = point, its_kind
    return kind


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
