"""What `parse_form` reads, refuses and costs; PHP's own answers are in test_form_against_php.py."""

import time
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.inbound.form import FormError, FormValue, Limits, parse_form

KIB_64 = 65_536


def flattened(node: FormValue, path: str = "") -> dict[str, str]:
    """A form as PHP would name its values."""
    if isinstance(node, str):
        return {path: node}
    return {
        name: value
        for key, child in node.items()
        for name, value in flattened(child, f"{path}[{key}]" if path else key).items()
    }


def test_a_body_of_bitrix24_holds_what_a_plain_decoder_finds(wire_body: tuple[str, bytes]) -> None:
    _, body = wire_body
    assert flattened(parse_form(body)) == dict(parse_qsl(body.decode()))


def test_oauth_tokens_are_found_under_auth() -> None:
    form = parse_form(b"auth%5Baccess_token%5D=fake&auth%5Bscope%5D=crm%2Cuser_brief")
    assert form == {"auth": {"access_token": "fake", "scope": "crm,user_brief"}}


@pytest.mark.parametrize(
    ("body", "limits", "reason"),
    [
        (b"a" * 11, Limits(max_bytes=10), "too_long"),
        (b"a&b&c", Limits(max_keys=2), "too_many_keys"),
        (b"a&a&a", Limits(max_keys=2), "too_many_keys"),
        (b"a[b][c]=1", Limits(max_depth=1), "too_deep"),
        (b"a[b][c", Limits(max_depth=1), "too_deep"),
        (b"a=1&%ff=1", Limits(), "name_not_utf8"),
        (b"a[%ff]=1", Limits(), "name_not_utf8"),
    ],
)
def test_a_body_over_a_limit_is_refused_with_the_reason(
    body: bytes, limits: Limits, reason: str
) -> None:
    with pytest.raises(FormError) as refusal:
        parse_form(body, limits)
    assert refusal.value.reason == reason
    assert isinstance(refusal.value, GatewayError)


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (b"a" * 10, Limits(max_bytes=10)),
        (b"&&a&&&b&&", Limits(max_keys=2)),
        (b"a[b][c]=1", Limits(max_depth=2)),
        (b"a[b][c]d[e][f]=1", Limits(max_depth=2)),
    ],
)
def test_a_body_at_a_limit_is_read(body: bytes, limits: Limits) -> None:
    assert parse_form(body, limits)


def test_bytes_that_are_not_utf8_are_replaced_in_values() -> None:
    assert parse_form(b"a=%ff%d0%96\xfe") == {"a": "\ufffdЖ\ufffd"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"%", "%"),
        (b"%%", "%%"),
        (b"%%%41%%", "%%A%%"),
        (b"%4", "%4"),
        (b"%4%41", "%4A"),
        (b"%g1%1g", "%g1%1g"),
        (b"%01\x01%\x01", "\x01\x01%\x01"),
        (b"%2541%25", "%41%"),
        (b"\\x41%5cx41%\\", "\\x41\\x41%\\"),
    ],
)
def test_a_percent_sign_that_starts_no_escape_is_itself(value: bytes, text: str) -> None:
    assert parse_form(b"value=" + value + b"&name" + value) == {"value": text, "name" + text: ""}


def test_a_refusal_quotes_nothing_of_the_body() -> None:
    with pytest.raises(FormError) as refusal:
        parse_form(b"auth[application_token]" + b"[a]" * Limits().max_depth + b"=fake-token")
    assert "fake" not in str(refusal.value)
    assert "token" not in str(refusal.value)


@given(st.binary(max_size=400))
def test_any_bytes_give_a_form_or_a_form_error(body: bytes) -> None:
    try:
        form = parse_form(body)
    except FormError:
        return
    assert all(flattened(form).keys())


@pytest.mark.parametrize(
    "unit",
    [
        b"&",
        b"=",
        b"%",
        b"%2",
        b"%5B",
        b"[",
        b"]",
        b"[]",
        b"a[",
        b"a[]&",
        b"+",
        b"\0",
        b"a&",
        b"%00&",
    ],
)
@pytest.mark.parametrize("prefix", [b"", b"a", b"a[", b"a=", b"a[b]["])
def test_repetition_costs_linear_time(prefix: bytes, unit: bytes) -> None:
    body = (prefix + unit * KIB_64)[:KIB_64]
    started = time.process_time()
    try:
        parse_form(body, Limits(max_keys=KIB_64, max_depth=KIB_64))
    except FormError:
        pytest.fail("nothing here is over a limit")
    # At most 0.1 s on one slow core; a quadratic loop would take minutes.
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "pair", [b"a[]=%d", b"a[%d]=", b"a[-%d]=", b"a%d=", b"a[%d][]=1", b"a[0][%d]=1&a=1"]
)
def test_many_keys_cost_linear_time(pair: bytes) -> None:
    body = b"&".join(pair.replace(b"%d", b"%d" % index) for index in range(8_000))[:KIB_64]
    started = time.process_time()
    parse_form(body, Limits(max_keys=20_000))
    assert time.process_time() - started < 1
