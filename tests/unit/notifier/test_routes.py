from pathlib import Path
from typing import Any

import pytest

from consumers.notifier.routes import routes_of
from gateway.errors import OperatorError
from gateway.settings import (
    Bitrix24Settings,
    NotifierSettings,
    PortalSettings,
    RouteSettings,
    Settings,
)

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"


def told(*routes: RouteSettings, **settings: Any) -> tuple[Any, ...]:
    """The routes of a notifier with these settings."""
    return routes_of(Settings(notifier=NotifierSettings(routes=routes, **settings)))


def faults(*routes: dict[str, Any], **settings: Any) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        told(*(RouteSettings(**route) for route in routes), **settings)
    return str(caught.value).splitlines()


def test_every_fault_is_told_at_once_and_no_secret() -> None:
    found = faults(
        {
            "urls": (f"nope://{SECRET}@x", f"json://10.0.0.1/{SECRET}", f"slack://{SECRET}"),
            "name": "sales",
        },
        {"urls": ("env:NO_SUCH_VARIABLE",), "body": "{{ nope }}", "time_zone": "Mars/Base"},
    )

    assert [fault.partition(": ")[0] for fault in found] == [
        "[[notifier.routes]] sales urls[1]",
        "[[notifier.routes]] sales urls[2]",
        "[[notifier.routes]] sales urls[3]",
        "[[notifier.routes]] 2 time_zone",
        "[[notifier.routes]] 2 body",
        "[[notifier.routes]] 2 urls[1]",
    ]
    assert SECRET not in "".join(found)


def test_conditions_on_the_text_need_the_stream_that_has_it() -> None:
    route: dict[str, Any] = {"urls": ("json://example.com/",), "words": ("urgent",)}

    (found,) = faults(route, stream="events")

    assert '[notifier] stream = "comments"' in found
    assert told(RouteSettings(**route))


def test_two_routes_have_two_names() -> None:
    route = {"urls": ("json://example.com/",), "name": "2"}

    (found,) = faults(route, {"urls": ("json://example.com/",)})

    assert found == "[[notifier.routes]] 2 name: two routes have this name"


def test_urls_and_templates_come_from_files_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "url").write_text("json://one.example.com/\n")
    (tmp_path / "body.j2").write_text("{{ event.id }}")
    monkeypatch.setenv("TARGET", "json://two.example.com/")

    (route,) = told(
        RouteSettings(urls=(f"file:{tmp_path}/url", "env:TARGET"), body=f"file:{tmp_path}/body.j2")
    )

    assert [channel.target.name for channel in route.channels] == ["1/1", "1/2"]
    assert [channel.target.shown for channel in route.channels] == [
        "json://one.example.com/",
        "json://two.example.com/",
    ]


@pytest.mark.parametrize("scheme", ["json", "jsons", "xml", "xmls", "form", "forms"])
def test_a_path_that_may_be_the_secret_is_not_shown(scheme: str) -> None:
    url = f"{scheme}://user:FAKE@example.com:8443/hooks/FAKE-SECRET?+X-Key=FAKE"

    (route,) = told(RouteSettings(urls=(url,)))

    (channel,) = route.channels
    assert channel.target.shown == f"{scheme}://user:****@example.com:8443/***"


def test_templates_need_not_know_events_that_the_route_does_not_get() -> None:
    about_comments = RouteSettings(urls=("json://example.com/",), body="{{ comment.id }}")

    assert told(about_comments)
    (found,) = faults(
        {"urls": ("json://example.com/",), "body": "{{ comment.id }}", "events": ("*",)}
    )
    assert "body: 'None' has no attribute 'id'" in found


def test_a_template_file_that_is_not_there_is_named() -> None:
    (found,) = faults({"urls": ("json://example.com/",), "title": "file:/no/such/file"})

    assert found.startswith("[[notifier.routes]] 1 title: file:/no/such/file cannot be read")


def test_a_portal_that_nothing_gives_the_right_to_call_is_named() -> None:
    route = RouteSettings(urls=("bitrix24://0123456789abcdef/7",), name="sales")
    notifier = NotifierSettings(routes=(route,))
    portal = PortalSettings(
        member_id="0123456789abcdef",
        domain="acme.bitrix24.com",
        application_tokens=("fake",),
        rest_webhook="https://acme.bitrix24.com/rest/1/fakecode/",
    )

    with pytest.raises(OperatorError) as caught:
        routes_of(Settings(notifier=notifier))

    assert str(caught.value) == (
        "[[notifier.routes]] sales urls[1]: portal 0123456789abcdef cannot be called: "
        "set [[portals]] rest_webhook, or [bitrix24] client_id"
    )
    assert routes_of(Settings(notifier=notifier, portals=(portal,)))
    assert routes_of(Settings(notifier=notifier, bitrix24=Bitrix24Settings(client_id="local.fake")))
