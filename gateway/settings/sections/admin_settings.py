"""Defines the section `[admin]`."""

from gateway.settings.sections.kinds import Port, Section, local_url

__all__ = ["AdminSettings"]


class AdminSettings(Section, frozen=True, kw_only=True):
    """[admin]: the listener for operators; keep it on loopback or behind a proxy."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8081
    """The port to listen on."""
    hosts: tuple[str, ...] = ()
    """Names under which operators and Prometheus ask for health and metrics, of all processes;
    addresses and `localhost` always may, and other names are answered 421."""

    @property
    def local_url(self) -> str:
        """Where it is reached from this machine."""
        return local_url(self.host, self.port)
