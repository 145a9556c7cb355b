"""The section `[admin]`."""

from gateway.settings.sections.kinds import Port, Section, local_url

__all__ = ["Admin"]


class Admin(Section, frozen=True, kw_only=True):
    """[admin]: the listener for operators; keep it on loopback or behind a proxy."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8081
    """The port to listen on."""

    @property
    def local_url(self) -> str:
        """Where it is reached from this machine."""
        return local_url(self.host, self.port)
