"""Describes one call of a REST method: who calls with what."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from gateway.php_numbers import integer_of
from gateway.sandbox.announcing import Actor
from gateway.sandbox.call_results import RestError
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.parameters import folded

__all__ = ["Call", "Caller", "Method"]


class Caller(Struct, frozen=True, kw_only=True):
    """By which right a call is made: `client_id` is empty for an inbound webhook."""

    user_id: int
    is_admin: bool
    client_id: str = ""
    scope: frozenset[str] = frozenset()
    hops: int = 0

    @property
    def kind(self) -> Literal["webhook", "oauth"]:
        """What limits count by, together with the application."""
        return "oauth" if self.client_id else "webhook"


class Call:
    """A call that may be carried out; names of parameters are told apart by letters only."""

    def __init__(self, portal: LivePortal, caller: Caller, parameters: Mapping[str, Any]) -> None:
        self.portal = portal
        self.caller = caller
        self.raw = parameters
        self._parameters = folded(parameters)

    @property
    def actor(self) -> Actor:
        """Who changes things by this call."""
        return Actor(
            user_id=self.caller.user_id,
            client_id=self.caller.client_id,
            connector=self.text("auth_connector"),
            hops=self.caller.hops,
        )

    def get(self, name: str) -> Any:
        """A parameter as it came; None if it is absent."""
        return self._parameters.get(name.upper())

    def text(self, name: str) -> str:
        """A parameter as a string; empty if it is absent or a map or list."""
        value = self.get(name)
        return str(value) if isinstance(value, str | int) else ""

    def number(self, name: str) -> int:
        """A parameter as a whole number that is not negative; 0 for anything else."""
        return integer_of(self.get(name)) or 0

    def map(self, name: str) -> dict[str, Any]:
        """A parameter that is a map, with its keys in capitals; empty for anything else."""
        value = self.get(name)
        return folded(value) if isinstance(value, Mapping) else {}

    def need_application(self) -> str:
        """The calling application's id; raises RestError for a webhook."""
        if not self.caller.client_id:
            raise RestError(
                403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method"
            )
        return self.caller.client_id

    def need_admin(self, what: str = "") -> None:
        """Raises RestError if the caller is not an administrator."""
        if not self.caller.is_admin:
            raise RestError(403, "ACCESS_DENIED", f"Access denied!{what}")


Method: TypeAlias = Callable[[Call], Any]
"""Carries out a call and gives its result, plain data or a ListPage; raises RestError."""
