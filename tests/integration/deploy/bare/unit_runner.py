"""Starts the process of an installed unit as systemd would, where none runs.

`python3 unit_runner.py UNIT`, with Debian's Python, within the machine: so it needs the standard
library alone. Goes by the unit and its drop-ins: directories, credentials, limits, user, variables,
the socket of the unit's name; prints READY once the process has said so, and ends with it.
"""

import os
import pwd
import resource
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

Settings = list[tuple[str, str]]
UNITS = Path("/usr/local/lib/systemd/system")
PIDS = Path("/run/units")
_LIMITS = {"LimitCORE": resource.RLIMIT_CORE, "LimitNOFILE": resource.RLIMIT_NOFILE}


def lines_of(unit: str) -> Iterator[tuple[str, str]]:
    """Each setting of the unit, in order, those of drop-ins last."""
    name, _, kind = unit.rpartition(".")
    stem, at, instance = name.partition("@")
    files = [UNITS / f"{stem}{at}.{kind}", *sorted((UNITS / f"{unit}.d").glob("*.conf"))]
    for file in files:
        for line in file.read_text().splitlines():
            key, is_setting, text = line.partition("=")
            if is_setting and not line.startswith("#"):
                yield key, text.replace("%i", instance)


def value(settings: Settings, key: str) -> str:
    """What stands last."""
    return [text for one, text in settings if one == key][-1]


def listening(name: str) -> bool:
    """The socket of the unit's name, if there is one, as descriptor 3."""
    if not (UNITS / f"{name}.socket").exists():
        return False
    host, _, port = value(list(lines_of(f"{name}.socket")), "ListenStream").rpartition(":")
    made = socket.create_server((host, int(port)))
    os.dup2(made.fileno(), 3)
    return True


def credentials(settings: Settings, unit: str, uid: int) -> str:
    """The files of the directories that LoadCredential names, of the user alone."""
    place = Path("/run/credentials", unit)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, mode=0o755)
    for name, _, directory in (
        text.partition(":") for key, text in settings if key == "LoadCredential"
    ):
        for file in Path(directory).iterdir():
            copy = place / f"{name}_{file.name}"
            copy.write_bytes(file.read_bytes())
            os.chown(copy, uid, -1)
            copy.chmod(0o400)
    return str(place)


def become(settings: Settings, unit: str, notify: str) -> None:
    """Be the process of the unit: does not return."""
    user = pwd.getpwnam(value(settings, "User"))
    state = Path("/var/lib", value(settings, "StateDirectory"))
    state.mkdir(parents=True, exist_ok=True)
    os.chown(state, user.pw_uid, user.pw_gid)
    state.chmod(int(value(settings, "StateDirectoryMode"), 8))
    environment = {"PATH": os.defpath, "HOME": user.pw_dir, "NOTIFY_SOCKET": notify}
    environment["CREDENTIALS_DIRECTORY"] = credentials(settings, unit, user.pw_uid)
    for key, text in settings:
        if key == "Environment":
            words = (word.partition("=") for word in shlex.split(text))
            environment.update({name: given for name, _, given in words})
        if key in _LIMITS:
            limit = _LIMITS[key]
            most = min(int(text), resource.getrlimit(limit)[1])
            resource.setrlimit(limit, (most, most))
    if listening(unit.rpartition(".")[0]):
        environment.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.umask(int(value(settings, "UMask"), 8))
    os.chdir(value(settings, "WorkingDirectory"))
    command = shlex.split(value(settings, "ExecStart"))
    group = value(settings, "Group")
    rights = ("--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--clear-groups")
    confined = ["setpriv", f"--reuid={user.pw_name}", f"--regid={group}", *rights, *command]
    os.execvpe(confined[0], confined, environment)


def end_as_it_ended(*_signal: object) -> None:
    """End with the exit code of the process."""
    _pid, status = os.wait()
    os._exit(os.waitstatus_to_exitcode(status) & 255)


def main() -> None:
    unit = sys.argv[1]
    settings = list(lines_of(unit))
    PIDS.mkdir(exist_ok=True)
    notify = PIDS / f"{unit}.notify"
    notify.unlink(missing_ok=True)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(notify))
    notify.chmod(0o666)
    child = os.fork()
    if child == 0:
        become(settings, unit, str(notify))
    (PIDS / unit).write_text(str(child))
    signal.signal(
        signal.SIGCHLD, lambda *_: os._exit(os.waitstatus_to_exitcode(os.wait()[1]) & 255)
    )
    while True:
        if b"READY=1" in told.recv(4096):
            print("READY", flush=True)


if __name__ == "__main__":
    main()
