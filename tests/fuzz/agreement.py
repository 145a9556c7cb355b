"""The laws that hold for every body: PHP reads it alike, and so does whoever skips most of it."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.inbound.form import FormError, FormValue, Limits, parse_form
from gateway.inbound.form_fields import FormFields, extract
from tests.fuzz.php import LIMITS, Answer, PhpNode

__all__ = ["assert_read_as_php_does", "assert_same_either_way", "fields_of"]

T = TypeVar("T")


def assert_same_either_way(body: bytes, limits: Limits) -> FormFields | str:
    """The fields, or the reason why there are none, which both ways must agree on."""
    decoded = _outcome(lambda: fields_of(parse_form(body, limits)))
    read = _outcome(lambda: extract(body, limits))
    if isinstance(read, FormFields):
        assert read.body in (b"", body)
        read = msgspec.structs.replace(read, body=b"")
    assert read == decoded
    return decoded


def fields_of(form: dict[str, FormValue]) -> FormFields:
    """The fields of a form that has been parsed whole, which is what `extract` has to find."""
    data, auth = form.get("data"), form.get("auth")
    fields = data.get("FIELDS") if isinstance(data, dict) else None
    query = data.get("QUERY") if isinstance(data, dict) else None
    return FormFields(
        event=_value(form, "event"),
        event_handler_id=_value(form, "event_handler_id"),
        ts=_value(form, "ts"),
        fields_id=_value(fields, "ID"),
        data_id=_value(data, "ID"),
        data_id_lowercase=_value(data, "id"),
        clean=_value(data, "CLEAN"),
        canary=_value(query, "canary"),
        member_id=_value(auth, "member_id"),
        domain=_value(auth, "domain"),
        application_token=_value(auth, "application_token"),
        user_id=_value(auth, "user_id"),
        workflow_id=_value(form, "workflow_id"),
    )


def _value(node: FormValue | None, key: str) -> str | None:
    value = node.get(key) if isinstance(node, dict) else None
    return value if isinstance(value, str) else None


def assert_read_as_php_does(body: bytes, php: Answer) -> None:
    """The same form, or a refusal where PHP warns or a name is not UTF-8.

    Not for names that PHP drops for the sake of cookies.
    """
    faults = php.warnings | _faults_of_names(body)
    outcome = _outcome(lambda: parse_form(body, LIMITS))
    if outcome == "too_deep" and _has_last_index(php.form):
        return  # where PHP cannot append, it does not look how deep the rest of the name is
    if faults:
        assert outcome in faults
    else:
        assert outcome == _decoded(php.form)


def _outcome(read: Callable[[], T]) -> T | str:
    """What is read, or the reason for a refusal; any other exception passes."""
    try:
        return read()
    except FormError as refusal:
        return refusal.reason


def _faults_of_names(body: bytes) -> set[str]:
    """Names that PHP takes and `parse_form` refuses."""
    for pair in body.split(b"&"):
        name = unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" "))
        try:
            name.partition(b"\0")[0].decode()
        except UnicodeDecodeError:
            return {"name_not_utf8"}
    return set()


def _has_last_index(node: PhpNode) -> bool:
    return isinstance(node, dict) and (
        b"9223372036854775807" in node or any(_has_last_index(child) for child in node.values())
    )


def _decoded(node: PhpNode) -> FormValue:
    if isinstance(node, bytes):
        return node.decode(errors="replace")
    return {key.decode(): _decoded(child) for key, child in node.items()}
