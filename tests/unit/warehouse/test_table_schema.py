"""The page of the warehouse describes the tables that the code makes."""

from pathlib import Path

import pytest

from consumers.warehouse import table_schema

PAGE = (Path(__file__).parents[3] / "docs" / "warehouse.md").read_text()


@pytest.mark.parametrize("table", table_schema.TABLES, ids=lambda table: table.name)
def test_the_page_has_the_columns_of_a_table_in_their_order(table: table_schema.Table) -> None:
    section = PAGE.split(f"### {table.name}\n")[1].split("\n#")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]

    assert rows == [
        f"| `{column.name}` | {column.type}{'' if column.nullable else ', not null'} "
        f"| {column.description} |"
        for column in table.columns
    ]
    assert table.description in section


def test_the_page_tells_of_every_version() -> None:
    assert f"Version {table_schema.VERSION}, in the schema" in PAGE
    for version in range(1, table_schema.VERSION + 1):
        assert f"\n| {version} | " in PAGE
