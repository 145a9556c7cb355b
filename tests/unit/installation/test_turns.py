"""Whose turn it is, of installations and uninstallations that wait."""

from gateway.installation.journal import Name
from gateway.installation.turns import next_in_turn

ALL = ("install", "reinstall", "uninstall")


def name(number: int, kind: str = "install", client: str = "", member_id: str = "") -> Name:
    return Name(f"{number:036}", member_id or f"m{number}", kind, client)


def in_turn(names: list[Name], kinds: tuple[str, ...] = ALL) -> list[Name]:
    """All of them in their order, each through when it had its turn."""
    found: list[Name] = []
    while one := next_in_turn([one for one in names if one not in found], found, kinds):
        found.append(one)
    return found


def test_a_genuine_claim_waits_for_one_of_each_forger_at_most() -> None:
    forged = [name(number, client=f"forger-{number % 3}") for number in range(30)]
    genuine = name(7_000, client="genuine")

    assert in_turn([*forged, genuine]).index(genuine) == 0
    latecomer = next_in_turn([*forged, genuine], forged[:12], ALL)
    assert latecomer == genuine


def test_clients_take_turns_and_the_newest_claim_of_each_goes_first() -> None:
    names = [name(1, client="a"), name(2, client="a"), name(3, client="b")]

    assert in_turn(names) == [names[2], names[1], names[0]]


def test_among_equals_whoever_has_a_portals_token_goes_first() -> None:
    again, claim = name(1, "reinstall"), name(2, client="a")

    assert in_turn([claim, again]) == [again, claim]


def test_a_portal_that_installs_again_and_again_keeps_nobody_waiting() -> None:
    again = [name(number, "reinstall", member_id="m") for number in range(5)]
    claim = name(9, client="a")

    assert in_turn([*again, claim]) == [again[0], claim, *again[1:]]


def test_what_one_portal_sent_goes_in_its_order() -> None:
    ends = name(1, "uninstall", member_id="m")
    claim = name(2, member_id="m")

    assert next_in_turn([ends, claim], [], ("install",)) is None
    assert in_turn([ends, claim]) == [ends, claim]


def test_a_forged_claim_does_not_hold_up_the_genuine_one_of_the_same_portal() -> None:
    forged, genuine = name(1, client="a", member_id="m"), name(2, client="b", member_id="m")

    assert next_in_turn([forged, genuine], [forged], ALL) == genuine


def test_other_kinds_are_left_alone() -> None:
    assert next_in_turn([name(1)], [], ("uninstall",)) is None
