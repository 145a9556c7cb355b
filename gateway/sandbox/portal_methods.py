"""Answers what a caller asks about itself and the portal: `app.info`, `feature.get`, `profile`,
`scope`, `user.admin`.
"""

from typing import Any, Final

from gateway.sandbox.call_results import RestError
from gateway.sandbox.calls import Call, Method

__all__ = ["PORTAL_METHODS"]


def _app_info(call: Call) -> dict[str, Any]:
    """https://apidocs.bitrix24.com/api-reference/common/system/app-info.html."""
    if not call.caller.client_id:
        raise RestError(403, "ACCESS_DENIED", "Access denied! Application context required")
    installation = call.portal.installations.of(call.caller.client_id)
    assert installation is not None  # noqa: S101 - or there would be no such caller
    return {
        "ID": 1,
        "CODE": installation.application.client_id,
        "VERSION": installation.version,
        "STATUS": installation.status,
        "INSTALLED": True,
        "PAYMENT_EXPIRED": "N",
        "DAYS": None,
        "LANGUAGE_ID": "en",
        "LICENSE": call.portal.plan.licence,
    }


def _feature(call: Call) -> dict[str, str]:
    """https://apidocs.bitrix24.com/api-reference/common/system/feature-get.html."""
    code = call.text("code")
    if not code:
        raise RestError(400, "CODE_EMPTY", "CODE can't be empty")
    return {"value": "Y" if code in call.portal.plan.features else "N"}


def _profile(call: Call) -> dict[str, Any]:
    """https://apidocs.bitrix24.com/api-reference/common/users/profile.html."""
    name, last_name = call.portal.users.names_of(call.caller.user_id)
    return {
        "ID": str(call.caller.user_id),
        "ADMIN": call.caller.is_admin,
        "NAME": name,
        "LAST_NAME": last_name,
        "PERSONAL_GENDER": "",
        "TIME_ZONE": "",
    }


def _scope(call: Call) -> list[str]:
    """https://apidocs.bitrix24.com/api-reference/common/system/scope.html."""
    return sorted(call.caller.scope)


def _is_admin(call: Call) -> bool:
    """https://apidocs.bitrix24.com/api-reference/common/users/user-admin.html."""
    return call.caller.is_admin


PORTAL_METHODS: Final[dict[str, Method]] = {
    "app.info": _app_info,
    "feature.get": _feature,
    "profile": _profile,
    "scope": _scope,
    "user.admin": _is_admin,
}
