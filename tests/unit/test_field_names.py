"""Names of fields in both of a portal's manners."""

import pytest

from gateway.sandbox.field_names import camel_case, capitals


@pytest.mark.parametrize(
    ("name", "camel"),
    [
        ("ID", "id"),
        ("STAGE_ID", "stageId"),
        ("UF_CRM_1721244482250", "ufCrm_1721244482250"),
        ("UF_CRM_2_1639669411830", "ufCrm2_1639669411830"),
        ("PARENT_ID_1220", "parentId1220"),
        ("UF_CRM_TASK", "ufCrmTask"),
    ],
)
def test_a_name_comes_back_as_it_was(name: str, camel: str) -> None:
    assert camel_case(name) == camel
    assert capitals(camel) == name
    assert capitals(name) == name
