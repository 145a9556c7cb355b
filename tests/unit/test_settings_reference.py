from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct, inspect

from gateway.settings import Settings
from gateway.settings.reference import meanings, page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def tables(table: type[Struct]) -> Iterator[type[Struct]]:
    kind = inspect.type_info(table)
    assert isinstance(kind, inspect.StructType)
    for field in kind.fields:
        inner = field.type.item_type if isinstance(field.type, inspect.VarTupleType) else field.type
        if isinstance(inner, inspect.StructType):
            yield inner.cls
            yield from tables(inner.cls)


@pytest.mark.parametrize("table", list(tables(Settings)), ids=lambda table: table.__name__)
def test_every_key_says_what_it_means(table: type[Struct]) -> None:
    assert meanings(table).keys() == set(table.__struct_fields__)


def test_the_page_of_settings_is_the_tree() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"
