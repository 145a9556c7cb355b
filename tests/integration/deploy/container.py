"""Runs commands in an image as compose does: read-only but for what is declared, without rights.

With a namespace of mounts and no daemon, so it needs root. The network is the machine's.
"""

import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.integration.deploy.image import BuiltImage
from tests.support.program import Program

__all__ = ["Container"]

_DEVICES: Final = ("null", "random", "urandom", "zero")
_USER: Final = "10001:10001"
_BEGIN: Final = """
set -eu
mount -t tmpfs -o mode=755 none {scratch}
mkdir -m 755 {scratch}/upper {scratch}/work {root}
mount -t overlay none -o lowerdir={image},upperdir={scratch}/upper,workdir={scratch}/work {root}
mount -t tmpfs -o mode=755 none {root}/dev
mkdir {root}/dev/shm
mount -t tmpfs -o mode=1777 none {root}/dev/shm
mount -t proc none {root}/proc
echo '127.0.0.1 localhost' > {root}/etc/hosts
"""
_END: Final = """
mount -o remount,ro {root}/dev
mount -o remount,ro {root}
exec setpriv --no-new-privs chroot --userspec={user} --groups= {root} {command}
"""


class Container(Struct, frozen=True):
    """A way to run commands: `volumes` are mounts as compose names them, `scratch` is a directory.

    What is mounted is made for the user whom the image names.
    """

    image: BuiltImage
    scratch: Path
    environment: Mapping[str, str]
    volumes: Sequence[str] = ()
    tmpfs: Sequence[str] = ()

    @contextmanager
    def running(self, *command: str) -> Iterator[Program]:
        """A process that goes on until it is stopped, which has to end well."""
        with Program(
            self._argv(*command), log_file=self.scratch.with_suffix(".log"), environment={}
        ) as process:
            process.launch()
            yield process
            process.stop_blocking(timeout_s=60)
            assert process.exit_code == 0, f"{command} did not stop cleanly:\n{process.log}"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What becomes of a command that ends by itself."""
        return subprocess.run(
            self._argv(*command), capture_output=True, text=True, timeout=100, check=False
        )

    def _argv(self, *command: str) -> tuple[str, ...]:
        self.scratch.mkdir(exist_ok=True)
        config = self.image.config
        assert config["User"] == _USER
        home = {"HOME": config["WorkingDir"], "HOSTNAME": self.scratch.name}
        variables = home | self.image.environment | dict(self.environment)
        inside = (
            *("/usr/bin/env", "-i", "-C", config["WorkingDir"]),
            *(f"{name}={text}" for name, text in variables.items()),
            *command,
        )
        names = {
            "scratch": shlex.quote(str(self.scratch)),
            "root": shlex.quote(f"{self.scratch}/root"),
            "image": shlex.quote(str(self.image.root)),
            "user": _USER,
            "command": shlex.join(inside),
        }
        lines = [
            *(f": > {{root}}/dev/{name}" for name in _DEVICES),
            *(f"mount --bind /dev/{name} {{root}}/dev/{name}" for name in _DEVICES),
            *(line for volume in self.volumes for line in _mounted(volume)),
            *(f"mount -t tmpfs -o mode=1777 none {{root}}{path}" for path in self.tmpfs),
        ]
        script = "\n".join((_BEGIN, *lines, _END)).format(**names)
        return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script)


def _mounted(volume: str) -> Iterator[str]:
    outside, inside, *options = volume.split(":")
    target = f"{{root}}{inside}"
    if Path(outside).is_dir():
        yield f"mkdir -p {target}"
    else:
        yield f"mkdir -p {{root}}{Path(inside).parent}"
        yield f": > {target}"
    yield f"mount --bind {shlex.quote(outside)} {target}"
    if "ro" in options:
        yield f"mount -o remount,bind,ro {target}"
