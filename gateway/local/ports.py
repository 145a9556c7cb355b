"""Tries whether a TCP port can be listened on."""

import socket

__all__ = ["is_taken"]


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens on the port at this moment; raises OSError for a bad host."""
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, proto) as probe:
        # As servers do: connections of an earlier run that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return True
    return False
