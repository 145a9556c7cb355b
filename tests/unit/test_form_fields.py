"""Reading the receiver's fields by their raw names gives what decoding the whole body gives."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inbound import selection
from gateway.inbound.form import DEFAULT_LIMITS, FormError, Limits, parse_form
from gateway.inbound.form_fields import FormFields, extract
from gateway.settings import HttpSettings
from tests.fuzz.agreement import assert_same_either_way, fields_of
from tests.fuzz.bodies import SENT_NAMES, wire_bodies

NAMES = [name.decode() for name in SENT_NAMES]

# Names that are not theirs, and that change what theirs mean.
MEDDLING_NAMES = [
    "data",
    "auth",
    "data[FIELDS]",
    "data[]",
    "auth[user_id][]",
    "ts[a]",
    "%74s",
    " ts",
]

VALUES = ["", "1", "a+b", "%D0%96", "%ff", "%", "%2", "x=y", "\0", "a[b]", "\N{SNOWMAN}"]


def test_an_update_of_a_comment_has_all_that_the_receiver_needs() -> None:
    body = (
        b"event=ONCRMTIMELINECOMMENTUPDATE&event_handler_id=185&data%5BFIELDS%5D%5BID%5D=999"
        b"&ts=1766047133&auth%5Bdomain%5D=acme.bitrix24.com&auth%5Bmember_id%5D=fake-member"
        b"&auth%5Buser_id%5D=7&auth%5Bapplication_token%5D=fake%2Btoken"
    )
    assert extract(body) == FormFields(
        event="ONCRMTIMELINECOMMENTUPDATE",
        event_handler_id="185",
        ts="1766047133",
        fields_id="999",
        member_id="fake-member",
        domain="acme.bitrix24.com",
        application_token="fake+token",
        user_id="7",
        body=body,
    )


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"data[ID]=5", FormFields(data_id="5")),
        (b"data%5bid%5d=5", FormFields(data_id_lowercase="5")),
        (b"data%5BCLEAN%5D=1", FormFields(clean="1")),
        (b"ts=1&ts=2", FormFields(ts="2")),
        (b"auth[user_id]=1&auth%5Buser_id%5D=2", FormFields(user_id="2")),
        (b"event[]=x&ts=1", FormFields(ts="1")),
        (b"auth[member_id][]=x", FormFields()),
        (b"auth[member_id]=x&auth=y", FormFields()),
        (b"data[FIELDS][ID]=1&data[FIELDS]=2", FormFields()),
        (b"data[FIELDS]=2&data[FIELDS][ID]=1", FormFields(fields_id="1")),
        (b"event", FormFields(event="")),
        (b"", FormFields()),
    ],
)
def test_fields_are_those_of_php(body: bytes, fields: FormFields) -> None:
    assert extract(body) == msgspec.structs.replace(fields, body=body)
    assert assert_same_either_way(body, DEFAULT_LIMITS) == fields


COMMENT_EVENTS = [body for body in wire_bodies() if b"TIMELINECOMMENT" in body.upper()]


@pytest.mark.parametrize("body", COMMENT_EVENTS)
def test_a_comment_event_is_read_without_decoding_its_body_whole(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fields_of(parse_form(body))

    def refuse(*_: object) -> None:
        raise AssertionError("the body is decoded whole")

    monkeypatch.setattr(selection, "pairs_of", refuse)
    assert extract(body) == expected


@pytest.mark.parametrize(
    "limits", [Limits(max_bytes=20), Limits(max_keys=1), Limits(max_depth=1)], ids=repr
)
def test_known_names_are_held_to_the_limits(limits: Limits) -> None:
    with pytest.raises(FormError):
        extract(b"event=x&data%5BFIELDS%5D%5BID%5D=1&ts=2", limits)


NAME = st.sampled_from([*NAMES, "data[FIELDS][ID]", "auth[user_id]", *MEDDLING_NAMES])
VALUE = st.sampled_from(VALUES)


@st.composite
def almost_comment_events(draw: st.DrawFn) -> bytes:
    """A comment event with pairs left out, doubled, swapped or put in."""
    pairs = [(name, draw(VALUE)) for name in NAMES if draw(st.integers(0, 9))]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(pairs)))
        pairs.insert(place, (draw(NAME), draw(VALUE)))
    return "&".join(f"{name}={value}" for name, value in pairs).encode()


bodies = almost_comment_events() | st.lists(st.tuples(NAME, VALUE), max_size=20).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode()
)

limits = st.builds(
    Limits,
    max_bytes=st.integers(0, 500),
    max_keys=st.integers(0, 20),
    max_depth=st.integers(0, 5),
)


@given(bodies)
def test_both_ways_agree_on_names_of_bitrix24(body: bytes) -> None:
    assert_same_either_way(body, DEFAULT_LIMITS)


@given(bodies, limits)
def test_both_ways_agree_on_limits(body: bytes, limits: Limits) -> None:
    assert_same_either_way(body, limits)


@given(st.binary(max_size=200))
def test_both_ways_agree_on_any_bytes(body: bytes) -> None:
    assert_same_either_way(body, DEFAULT_LIMITS)


def test_a_representation_shows_no_token() -> None:
    assert "fake" not in repr(extract(b"auth[application_token]=fake&event=x"))


def test_a_body_is_read_whatever_size_the_settings_allow() -> None:
    most = DEFAULT_LIMITS.max_bytes

    assert msgspec.convert({"max_body": most}, HttpSettings).max_body == most
    assert extract(b"event=x&text=".ljust(most, b"y")).event == "x"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"max_body": most + 1}, HttpSettings)
