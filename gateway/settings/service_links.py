"""Recognises variables that Kubernetes and Docker put into every container for a service of our
name.

For a Service `gateway`, `gateway-http` or `gateway-redis` in the same namespace each container that
starts later gets `GATEWAY_SERVICE_HOST`, `GATEWAY_HTTP_PORT=tcp://10.96.12.7:8080` and so on:
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables. Docker's
links are where the form comes from: https://docs.docker.com/engine/network/links/. They set nothing
of ours; a typing error in a key looks otherwise.
"""

import re
from typing import Final

__all__ = ["is_service_link"]

_URL: Final = r"(tcp|udp|sctp)://\S+"
_FORMS: Final = tuple(
    (re.compile(rf"GATEWAY(_[A-Z0-9_]+)?_{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", r"\S+"),
        (r"SERVICE_PORT(_[A-Z0-9_]+)?", r"\d+"),
        ("PORT", _URL),
        (r"PORT_\d+_(TCP|UDP|SCTP)", _URL),
        (r"PORT_\d+_(TCP|UDP|SCTP)_PROTO", r"tcp|udp|sctp"),
        (r"PORT_\d+_(TCP|UDP|SCTP)_PORT", r"\d+"),
        (r"PORT_\d+_(TCP|UDP|SCTP)_ADDR", r"\S+"),
        ("NAME", r"/\S+"),  # Docker: /this-container/alias
        (r"ENV_[A-Za-z0-9_]+", r".*"),  # Docker: each variable of the other container
    )
)


def is_service_link(variable: str, value: str) -> bool:
    """Whether a variable that begins with GATEWAY_ was set for a service, and not for us."""
    return any(name.fullmatch(variable) and form.fullmatch(value) for name, form in _FORMS)
