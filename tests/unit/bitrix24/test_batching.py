"""Batches as PHP reads and writes them."""

import pytest

from gateway.bitrix24.answers import Answer
from gateway.bitrix24.batching import Command, answers_of, parameters_of, query_of
from gateway.bitrix24.errors import AccessDenied, MaybeDone


def test_nested_parameters_are_written_as_php_does() -> None:
    query = query_of(
        {
            "filter": {"ENTITY_TYPE": "deal", ">=ID": 5},
            "select": ["ID", "COMMENT"],
            "active": True,
            "closed": False,
            "nothing": None,
            "text": "a b&c=д",
        }
    )
    assert query == (
        "filter%5BENTITY_TYPE%5D=deal&filter%5B%3E%3DID%5D=5&select%5B0%5D=ID&"
        "select%5B1%5D=COMMENT&active=1&closed=0&text=a+b%26c%3D%D0%B4"
    )


def test_commands_keep_their_names_and_order() -> None:
    commands = {"b": Command("app.info"), "a": Command("user.get", {"ID": 1})}
    assert parameters_of(commands) == {
        "halt": 0,
        "cmd": {"b": "app.info?", "a": "user.get?ID=1"},
    }


def test_method_of_a_command_cannot_bring_parameters() -> None:
    with pytest.raises(ValueError, match="no method's name"):
        parameters_of({"a": Command("user.get?ADMIN=1")})


def test_results_errors_and_silence_are_told_apart() -> None:
    tree = {
        "result": {"page": [1, 2]},
        "result_error": {"denied": {"error": "", "error_description": "Access denied."}},
        "result_total": {"page": 120},
        "result_next": {"page": 50},
        "result_time": [],
    }
    found = answers_of(tree, ["page", "denied", "lost"], now=0.0, secrets=())
    assert found["page"] == Answer(result=[1, 2], total=120, next_start=50)
    assert isinstance(found["denied"], AccessDenied)
    assert isinstance(found["lost"], MaybeDone)


def test_names_that_are_numbers_come_back_as_a_list() -> None:
    tree: dict[str, list[str | None]] = {"result": ["first", None], "result_error": []}
    found = answers_of(tree, ["0", "1"], now=0.0, secrets=())
    assert found == {"0": Answer(result="first"), "1": Answer(result=None)}


def test_answer_without_any_map_leaves_all_open() -> None:
    trees: tuple[object, ...] = (None, [], "text", {"result": "text"})
    for tree in trees:
        found = answers_of(tree, ["a"], now=0.0, secrets=())
        assert isinstance(found["a"], MaybeDone)
