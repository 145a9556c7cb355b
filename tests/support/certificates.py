"""Certificates for servers on loopback and for one client, by an authority of a test's own."""

from pathlib import Path

import trustme
from msgspec import Struct

__all__ = ["Certificates"]


class Certificates(Struct, frozen=True):
    """PEM files in a directory: `ca`, `server` and `client`, the latter two with keys."""

    directory: Path

    @classmethod
    def made_in(cls, directory: Path) -> "Certificates":
        """New ones; the server's name localhost and 127.0.0.1."""
        directory.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(directory / "ca.pem"))
        for name, leaf in (
            ("server", authority.issue_cert("localhost", "127.0.0.1")),
            ("client", authority.issue_cert("gateway@example.com")),
        ):
            leaf.cert_chain_pems[0].write_to_path(str(directory / f"{name}.pem"))
            leaf.private_key_pem.write_to_path(str(directory / f"{name}.key"))
        return cls(directory)

    @property
    def authority(self) -> Path:
        return self.directory / "ca.pem"

    def of(self, name: str) -> tuple[Path, Path]:
        """The certificate and the key of `server` or `client`."""
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"
