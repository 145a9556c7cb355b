from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bitrix24.rest_comment import (
    MAX_FILES,
    MAX_TEXT_CHARS,
    NotAComment,
    comment_id_of,
    comment_of,
    content_hash_of,
)
from gateway.contract import Comment, CommentFile

NOW = datetime(2026, 11, 22, 9, 30, 0, 250_000, tzinfo=UTC)

FIELDS: dict[str, Any] = {
    "ID": "999",
    "ENTITY_ID": "2",
    "ENTITY_TYPE": "deal",
    "CREATED": "2024-07-18T12:32:31+02:00",
    "COMMENT": "Call [b]Anna[/b] :f09f9880:",
    "AUTHOR_ID": "1",
}
FILE: dict[str, Any] = {
    "id": 930,
    "date": "2024-07-18T12:30:00+02:00",
    "type": "file",
    "name": "offer.pdf",
    "size": 43,
    "image": False,
    "authorId": 1,
    "authorName": "Anna",
    "urlDownload": "https://acme.bitrix24.com/disk/?auth[ap]=not-a-real-key",
}


def fetched(**fields: Any) -> Comment:
    return comment_of(FIELDS | fields, fetched_at=NOW)


def test_a_comment_has_text_author_entity_and_times_in_utc() -> None:
    assert fetched() == Comment(
        state="present",
        text="Call [b]Anna[/b] 😀",
        text_plain="Call Anna 😀",
        author_id=1,
        entity_type="deal",
        entity_id=2,
        created_at="2024-07-18T10:32:31Z",
        fetched_at="2026-11-22T09:30:00.250Z",
        content_hash=content_hash_of("Call [b]Anna[/b] 😀", ()),
    )


def test_numbers_and_strings_are_the_same() -> None:
    assert fetched(ID=999, ENTITY_ID=2, AUTHOR_ID=1) == fetched()
    assert comment_id_of({"ID": 999}) == comment_id_of({"ID": "999"}) == 999
    assert fetched(COMMENT=5).text == fetched(COMMENT="5").text


@pytest.mark.parametrize(
    "files",
    [
        {"930": FILE},
        {"930": FILE | {"id": "930", "size": "43"}},
        {"930": {key: value for key, value in FILE.items() if key != "id"}},
        [FILE],
    ],
    ids=["map", "map of strings", "map with the id as key only", "list"],
)
def test_files_are_read_in_every_shape_and_without_addresses(files: Any) -> None:
    comment = fetched(FILES=files)

    assert comment.files == (
        CommentFile(
            id=930,
            name="offer.pdf",
            type="file",
            size=43,
            author_id=1,
            created_at="2024-07-18T10:30:00Z",
        ),
    )
    assert b"not-a-real-key" not in msgspec.json.encode(comment)


@pytest.mark.parametrize("nothing", [{}, [], None, "", False])
def test_no_files_are_said_in_many_ways(nothing: Any) -> None:
    assert fetched(FILES=nothing) == fetched()


def test_the_hash_tells_contents_apart_and_nothing_else() -> None:
    files = {"1": FILE | {"id": 1}, "2": FILE | {"id": 2}}
    turned = [files["2"], files["1"]]
    same = {
        fetched(FILES=files).content_hash,
        fetched(FILES=turned).content_hash,
        fetched(FILES=files, CREATED="", ENTITY_ID=3, AUTHOR_ID=None).content_hash,
        fetched(FILES={"1": FILE | {"id": 1, "name": "renamed"}, "2": files["2"]}).content_hash,
    }
    others = {
        fetched(FILES={"1": files["1"]}).content_hash,
        fetched(FILES=files, COMMENT="else").content_hash,
    }

    assert len(same) == 1
    assert not same & others
    assert fetched(COMMENT="a :f09f9880:").content_hash == fetched(COMMENT="a 😀").content_hash


def test_words_for_programs_stay_as_they_are() -> None:
    assert fetched(COMMENT="@everyone [i]look[/i]").text_plain == "@everyone look"


def test_a_time_without_an_offset_is_not_guessed() -> None:
    assert fetched(CREATED="2024-07-18T12:32:31").created_at is None
    assert fetched(CREATED="0001-01-01T00:00:00+02:00").created_at is None


@pytest.mark.parametrize("tree", [None, [], "Not found.", {}, {"ID": "x"}, {"ID": 0}, {"ID": True}])
def test_what_has_no_id_is_no_comment(tree: Any) -> None:
    with pytest.raises(NotAComment):
        comment_of(tree, fetched_at=NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_ANY_FIELDS = st.fixed_dictionaries(
    {"ID": st.integers(min_value=1, max_value=2**63 - 1)},
    optional={name: _JSON for name in FIELDS if name != "ID"}
    | {"FILES": _JSON | st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FILE, _JSON)))},
)


@given(_ANY_FIELDS)
def test_whatever_a_portal_sends_is_an_event_that_every_consumer_can_read(
    fields: dict[str, Any],
) -> None:
    comment = comment_of(fields, fetched_at=NOW)

    assert msgspec.json.decode(msgspec.json.encode(comment), type=Comment) == comment
    numbers = [comment.author_id, comment.entity_id, *(file.id for file in comment.files)]
    assert all(number is None or 0 <= number < 2**63 for number in numbers)


@given(st.text())
def test_every_text_survives(text: str) -> None:
    assert fetched(COMMENT=text).text is not None


@given(st.text(alphabet=st.characters(min_codepoint=0x10000, max_codepoint=0x10FFFF)))
def test_characters_of_four_bytes_come_back_from_hex(text: str) -> None:
    stored = "".join(f":{char.encode().hex()}:" for char in text)
    assert fetched(COMMENT=stored).text == text


@given(st.from_regex(r"(:[0-9a-f]{8}:)*", fullmatch=True))
def test_hex_that_is_no_character_stays(text: str) -> None:
    decoded = fetched(COMMENT=text).text or ""
    assert "\ufffd" not in decoded
    assert decoded.count(":") % 2 == 0


def test_a_long_text_is_cut_and_says_so_and_its_hash_is_of_all_of_it() -> None:
    long = "й" * (MAX_TEXT_CHARS + 1)
    comment = fetched(COMMENT=long)

    assert comment.text == comment.text_plain == long[:-1]
    assert comment.cut == ("text",)
    assert comment.content_hash == content_hash_of(long, ())
    assert fetched(COMMENT=long[:-1]).cut == ()


@pytest.mark.parametrize("text", ["[quote]\n", "[quote]x\n", "\0", "й", "😀", ":f09f9880:", "[b]"])
def test_an_event_has_a_size_that_nothing_in_a_comment_exceeds(text: str) -> None:
    files = {str(one): {"name": text * 900, "type": text * 900} for one in range(1, 2000)}
    comment = fetched(COMMENT=text * 200_000, FILES=files, ENTITY_TYPE=text * 900)

    assert len(comment.files) == MAX_FILES
    assert "files" in comment.cut
    assert comment.text is not None
    assert comment.text_plain is not None
    assert len(comment.text_plain) <= 2 * len(comment.text)
    assert len(msgspec.json.encode(comment)) < 2_500_000
