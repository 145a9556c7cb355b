"""Defines what the sections are made of: the types of their keys, and what all sections share."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = [
    "NotNegative",
    "Port",
    "Positive",
    "Seconds",
    "Secret",
    "SecretUrl",
    "Section",
    "local_url",
]

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Secret = Annotated[str, Meta(extra={"secret": "whole"})]
"""The secret itself, or better a reference to it: `env:NAME`, `file:/path`
or `credential:NAME`."""
SecretUrl = Annotated[str, Meta(extra={"secret": "password"})]
"""A URL in which a password may stand."""


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings: immutable, by keyword, unknown keys refused."""


def local_url(host: str, port: int) -> str:
    """Where a listener is reached from this machine; one on all addresses, on loopback."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}"
