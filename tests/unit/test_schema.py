"""The documents for other languages say what the code does."""

from pathlib import Path

import pytest

from gateway.contract.schema import files

KEPT = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("name", sorted(files()))
def test_what_is_kept_is_what_the_code_says(name: str) -> None:
    assert (KEPT / name).read_text() == files()[name], "run `make docs`"
