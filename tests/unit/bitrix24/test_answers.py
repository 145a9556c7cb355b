"""What answers mean."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bitrix24.answers import Reply, answer_of, error_of, members_of
from gateway.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    Limited,
    MaybeDone,
    NoRest,
    NotFound,
    NotInPlan,
    OperationTimeLimit,
    PortalGone,
    PortalMoved,
    Refused,
    TokenRejected,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)


def error(code: object, description: str = "", *, status: int = 400) -> Bitrix24Error:
    tree = {"error": code, "error_description": description}
    return error_of(tree, status=status, now=0.0, secrets=())


@pytest.mark.parametrize(
    ("code", "description", "kind"),
    [
        ("expired_token", "", TokenRejected),
        ("NO_AUTH_FOUND", "", TokenRejected),
        ("insufficient_scope", "", Unauthorized),
        ("Invalid_Grant", "", Unauthorized),
        ("WRONG_CLIENT", "", Unauthorized),
        ("PAYMENT_REQUIRED", "", NotInPlan),
        ("wrong_license", "", NotInPlan),
        ("ACCESS_DENIED", "REST API is available only on commercial plans", NoRest),
        ("ACCESS_DENIED", "REST is available only on commercial plans.", NoRest),
        ("ACCESS_DENIED", "REST is available only by subscription", NoRest),
        ("ACCESS_DENIED", "The rest is for administrators only", AccessDenied),
        ("PORTAL_DELETED", "", PortalGone),
        ("not_found", "Portal not found", PortalGone),
        ("not_found", "Comment not found", NotFound),
        ("OVERLOAD_LIMIT", "", Unavailable),
        ("QUERY_LIMIT_EXCEEDED", "Too many requests", TooManyRequests),
        ("operation_time_limit", "", OperationTimeLimit),
        ("INTERNAL_SERVER_ERROR", "", MaybeDone),
        ("ERROR_METHOD_NOT_FOUND", "", Refused),
        ("", "Not found.", NotFound),
        ("", "Access denied.", AccessDenied),
        ("ACCESS_DENIED", "", AccessDenied),
        ("", "ID is not defined or invalid.", Refused),
        ("", "", Refused),
        (17, "", Refused),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 403, 429])
def test_error_is_told_by_its_code_whatever_the_status(
    code: object, description: str, kind: type[Bitrix24Error], status: int
) -> None:
    assert type(error(code, description, status=status)) is kind


def test_code_that_nobody_documents_is_told_by_its_status() -> None:
    assert type(error("NEW", status=401)) is Unauthorized
    assert type(error("NEW", status=503)) is MaybeDone


def test_who_may_try_again() -> None:
    assert error("QUERY_LIMIT_EXCEEDED").is_retryable
    assert error("OVERLOAD_LIMIT").is_retryable
    assert not error("", "Not found.").is_retryable
    assert not error("expired_token").is_retryable


@pytest.mark.parametrize(
    ("time", "pause_s"),
    [
        ({"operating_reset_at": 1_200, "finish": 1_100.5}, 99.5),
        ({"operating_reset_at": 1_200}, 200.0),
        ({"operating_reset_at": 10}, 1.0),
        ({"operating_reset_at": 10**9}, 600.0),
        ({}, 60.0),
        ([], 60.0),
        (None, 60.0),
        ({"operating_reset_at": "soon"}, 60.0),
    ],
)
def test_pause_of_a_method_is_counted_by_the_portals_clock(time: object, pause_s: float) -> None:
    tree = {"error": "OPERATION_TIME_LIMIT", "time": time}
    told = error_of(tree, status=429, now=1_000.0, secrets=())
    assert isinstance(told, Limited)
    assert told.retry_in_s == pause_s


def test_secrets_are_cut_out_of_what_an_error_says() -> None:
    tree = {"error": "ERROR_CORE fakesecret", "error_description": "auth=fakesecret&id=1"}
    told = error_of(tree, status=400, now=0.0, secrets=("fakesecret", ""))
    assert "fakesecret" not in f"{told} {vars(told)}"
    assert "auth=***&id=1" in str(told)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_names_the_host_only(status: int) -> None:
    reply = Reply(status, "https://user:fake@NEW.example/rest/1/fakecode/", b"<html>")
    with pytest.raises(PortalMoved) as told:
        answer_of(reply, now=0.0, secrets=())
    assert told.value.host == "new.example"
    assert "fake" not in str(told.value)


@pytest.mark.parametrize("location", ["", "/login", "https://[", "https://x:99999/"])
def test_redirect_to_nowhere_is_no_move(location: str) -> None:
    with pytest.raises(MaybeDone):
        answer_of(Reply(302, location, b""), now=0.0, secrets=())


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'"text"', b"\xff", b"[" * 10_000]
)
def test_body_that_is_no_object_leaves_open_what_was_done(body: bytes) -> None:
    with pytest.raises(MaybeDone):
        answer_of(Reply(200, "", body), now=0.0, secrets=())


def test_error_that_is_null_is_none() -> None:
    reply = Reply(200, "", b'{"result": 1, "error": null}')
    assert answer_of(reply, now=0.0, secrets=())["result"] == 1


def test_status_of_a_failure_without_an_error_is_no_success() -> None:
    with pytest.raises(MaybeDone):
        answer_of(Reply(500, "", b'{"result": 1}'), now=0.0, secrets=())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "error_description", "time"]), inner)
    ),
    max_leaves=8,
)


@given(status=st.integers(200, 599), tree=json_values, location=st.text(max_size=30))
def test_no_answer_raises_anything_else(status: int, tree: object, location: str) -> None:
    try:
        answer_of(Reply(status, location, msgspec.json.encode(tree)), now=0.0, secrets=("x",))
    except Bitrix24Error:
        return
    assert 200 <= status < 300


def test_maps_come_as_lists_too() -> None:
    assert members_of([]) == {}
    assert members_of(["a", "b"]) == {"0": "a", "1": "b"}
    assert members_of({"a": 1}) == {"a": 1}
    assert members_of(None) == {}
