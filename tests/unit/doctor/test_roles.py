"""The rights that are looked for are those that the page documents."""

import pytest

from gateway.doctor.redis_roles import ROLES
from tests.support.redis_users import rights_of


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_what_the_page_says(role: str) -> None:
    documented = [word[1:] for word in rights_of(role) if word.startswith("+")]

    assert sorted(ROLES[role]) == sorted(documented)
