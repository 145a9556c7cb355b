"""What is kept of an object as a portal shows it: its fields, within bounds, and no key."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.bitrix24.rest_object import MAX_OBJECT_BYTES, NotAnObject, object_of
from gateway.contract import FetchedObject
from gateway.secrets_in_data import names_a_secret, without_secrets

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SENTINEL = "5entinel0f4key"


def kept(tree: dict[str, Any]) -> FetchedObject:
    return object_of(tree, fetched_at=NOW)


def test_an_object_is_as_the_portal_shows_it() -> None:
    tree = {"id": 77, "title": "Desks", "opportunity": 9.5, "opened": "Y", "fm": [{"id": 1}]}

    found = kept(tree)

    assert (found.state, found.fields, found.cut) == ("present", tree, ())
    assert found.fetched_at == "2026-11-22T09:30:00.000Z"


def test_equal_contents_have_equal_hashes_in_whatever_order_they_come() -> None:
    first = kept({"id": 77, "title": "Desks", "more": {"a": 1, "b": [1, 2]}})

    assert kept({"more": {"b": [1, 2], "a": 1}, "title": "Desks", "id": 77}).content_hash == (
        first.content_hash
    )
    assert kept({"id": 77, "title": "Desk"}).content_hash != first.content_hash


@pytest.mark.parametrize("what", [None, [], {}, "x", 7, [{"id": 1}]])
def test_what_has_no_fields_is_no_object(what: Any) -> None:
    with pytest.raises(NotAnObject):
        object_of(what, fetched_at=NOW)


def test_what_is_too_much_is_cut_and_named() -> None:
    deep: Any = "bottom"
    for _ in range(10):
        deep = {"in": deep}
    tree = {
        "text": "x" * 20_001,
        "list": list(range(501)),
        "deep": deep,
        "whole": "y",
        **{f"big{number:02}": "z" * 20_000 for number in range(20)},
        "last": "1",
    }

    found = kept(tree)

    assert len(msgspec.json.encode(found.fields)) <= MAX_OBJECT_BYTES
    assert found.fields["text"] == "x" * 20_000
    assert len(found.fields["list"]) == 500
    assert (found.fields["whole"], found.fields["last"]) == ("y", "1")
    left_out = sorted(tree.keys() - found.fields.keys())
    assert left_out
    assert sorted(found.cut) == sorted(["text", "list", "deep", *left_out])
    assert kept(tree | {"text": "x" * 20_002}).content_hash != found.content_hash


def test_ten_thousand_fields_become_a_bounded_event() -> None:
    found = kept({f"ufCrm_{number}": "x" * 300 for number in range(10_000)})

    assert len(msgspec.json.encode(found)) < 2 * MAX_OBJECT_BYTES
    assert len(found.fields) + len(found.cut) <= 1000


def test_numbers_beyond_64_bits_stay_readable() -> None:
    assert kept({"id": 1, "n": 2**64}).fields["n"] == str(2**64)


@pytest.mark.parametrize(
    "leaf",
    [
        {"DOWNLOAD_URL": f"https://a.example/x?y={SENTINEL}"},
        {"accessToken": SENTINEL},
        {"ACCESS_TOKEN": SENTINEL},
        {"auth": {"a": SENTINEL}},
        {"urlMachine": f"https://a.example/{SENTINEL}"},
        {"password": SENTINEL},
        {"webhookSecret": SENTINEL},
        {"apiKey": SENTINEL},
        {"ufCrm_1": f"https://a.example/disk/show.php?token={SENTINEL}&x=1"},
        {"ufCrm_1": f"/bitrix/tools/show.php?auth={SENTINEL}"},
        {"ufCrm_1": f"see https://a.example/a?id=1&auth={SENTINEL} and call"},
        {"ufCrm_1": f"https://a.example/rest/1/{SENTINEL}/crm.deal.get.json"},
        {"ufCrm_1": f"post it to https://a.example/rest/1/{SENTINEL}/ please"},
        {"ufCrm_1": f"https://user:{SENTINEL}@a.example/"},
        {"ufCrm_1": f"access_token={SENTINEL}"},
        {"ufCrm_1": f"api-key={SENTINEL}"},
    ],
    ids=str,
)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_no_key_is_left_in_an_object(leaf: dict[str, Any], depth: int) -> None:
    tree: Any = leaf
    for _ in range(depth):
        tree = {"file": [tree]}

    assert SENTINEL.encode() not in msgspec.json.encode(kept({"id": 1, **tree}))


@pytest.mark.parametrize(
    "name", ["authorId", "AUTHOR_ID", "title", "ufCrm2_1639669411830", "keyAccount", "signed"]
)
def test_fields_that_only_sound_alike_stay(name: str) -> None:
    assert not names_a_secret(name)


@pytest.mark.parametrize(
    "text",
    ["", "Ninety desks", "a/b", "1/2 = 0.5", "https://shop.example/desks", "https://a.example/?",
     "see https://a.example/a?id=1&page=2", "/ hm", "key = 5", "monkey=5"],
)  # fmt: skip
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_secrets(text).rstrip("?") == text.rstrip("?")
