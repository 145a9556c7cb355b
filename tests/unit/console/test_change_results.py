"""For how long what became of a change can be seen."""

from gateway.console.action_answer import ActionAnswer
from gateway.console.change_results import ChangeResult, ChangeResults

NOW = 1_796_000_000.0


def result(count: int) -> ChangeResult:
    answer = ActionAnswer(action="resumed", group="index", is_done=True, count=count)
    return ChangeResult(action="resume", fields={"group": "index"}, answer=answer)


def test_a_result_is_found_by_its_name_for_an_hour() -> None:
    results = ChangeResults()
    one, other = results.keep(result(1), now=NOW), results.keep(result(2), now=NOW)

    assert one != other
    assert results.find(one, now=NOW + 3600) == result(1)
    assert results.find(one, now=NOW + 3601) is None
    assert results.find("nonsense", now=NOW) is None


def test_there_are_two_hundred_at_most() -> None:
    results = ChangeResults()
    names = [results.keep(result(number), now=NOW) for number in range(203)]

    assert [results.find(name, now=NOW) is None for name in names[:4]] == [*3 * [True], False]
