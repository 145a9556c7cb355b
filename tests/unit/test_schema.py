"""The documents for other languages say what the code does."""

from inspect import cleandoc
from pathlib import Path

import pytest

from gateway.contract.schema import files, json_schema

KEPT = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("name", sorted(files()))
def test_what_is_kept_is_what_the_code_says(name: str) -> None:
    assert (KEPT / name).read_text() == files()[name], "run `make docs`"


def test_no_description_is_as_indented_as_a_docstring_before_python_3_13() -> None:
    told = {name: one["description"] for name, one in json_schema()["$defs"].items()}

    assert told == {name: cleandoc(text) for name, text in told.items()}
