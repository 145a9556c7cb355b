"""Says what a portal may do by its plan.

https://apidocs.bitrix24.com/limits.html and
https://apidocs.bitrix24.com/api-reference/events/offline-events.html. Which plans can reserve
offline events is documented only as "certain plans"; here they are those with sources.
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["PLANS", "PlanName", "PortalPlan"]

PlanName: TypeAlias = Literal["basic", "standard", "professional", "enterprise", "on-premise"]


class PortalPlan(Struct, frozen=True, kw_only=True):
    """Limits, and the codes by which `feature.get` asks."""

    licence: str
    requests_per_s: float = 2.0
    burst: int = 50
    operating_limit_s: float = 480.0
    features: frozenset[str] = frozenset()


_EVERYTHING: Final = frozenset({"rest_offline_extended", "rest_auth_connector"})

PLANS: Final[dict[PlanName, PortalPlan]] = {
    "basic": PortalPlan(licence="en_basic"),
    "standard": PortalPlan(licence="en_std"),
    "professional": PortalPlan(licence="en_pro100", features=_EVERYTHING),
    "enterprise": PortalPlan(
        licence="en_ent250", requests_per_s=5.0, burst=250, features=_EVERYTHING
    ),
    "on-premise": PortalPlan(
        licence="en_selfhosted",
        requests_per_s=1e6,
        burst=1_000_000,
        operating_limit_s=float("inf"),
        features=_EVERYTHING,
    ),
}
