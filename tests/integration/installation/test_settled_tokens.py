"""An uninstallation ends the application's token, but for one that the settings let send."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.sandbox.live_portal import LivePortal
from gateway.settings import PortalSettings, Settings
from tests.integration.installation.running import open_gateway
from tests.support.eventually import eventually


@pytest.mark.parametrize("is_its_own", [True, False])
async def test_a_token_that_goes_on_sending_is_warned_of_and_another_one_is_not(
    settings: Settings, portal: LivePortal, port: int, *, is_its_own: bool
) -> None:
    registered = PortalSettings(
        member_id=portal.member_id,
        domain=portal.domain,
        application_tokens=(portal.application_token if is_its_own else "fake-webhook-token",),
    )
    settings = msgspec.structs.replace(settings, portals=(registered,))
    with capture_logs() as logs:
        async with open_gateway(settings, port=port) as gateway:
            await portal.install(gateway.url)
            client_id = settings.bitrix24.client_id
            await eventually(lambda: len(portal.bindings.of(client_id)) > 1)
            await portal.uninstall(clean=False)
            await eventually(lambda: _has(logs, "the application was uninstalled"))

    warned = "an uninstalled portal stands in the settings: take its token out of [[portals]]"
    assert _has(logs, warned) is is_its_own


def _has(logs: Sequence[Mapping[str, Any]], line: str) -> bool:
    return any(one["event"] == line for one in logs)
