"""Takes over listening sockets that systemd opened and keeps open while this process is restarted.

What connects meanwhile waits in their queues, instead of being refused. They come as descriptors
from 3 on, announced by variables that name the process they are meant for:
https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html.
"""

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

from gateway.errors import OperatorError

__all__ = ["inherited_sockets"]

_FIRST: Final = 3
_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def inherited_sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Those that are meant for this process, listening for deliveries; none where nobody sent any.

    Takes the variables out of `environ`, so that no child believes them to be its own. Raises
    OperatorError for a descriptor that is no listening stream socket.
    """
    pid, count, _names = (environ.pop(name, "") for name in _VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return [_listening(descriptor) for descriptor in range(_FIRST, _FIRST + int(count))]


def _listening(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    with suppress(OSError):  # no socket at all
        one = socket.socket(fileno=descriptor)
        is_listening = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if is_listening and one.type == socket.SOCK_STREAM:
            return one
        one.detach()
    raise OperatorError(
        f"descriptor {descriptor}, which LISTEN_FDS announces, is no listening socket: "
        "gateway.socket needs ListenStream= and Accept=no"
    )
