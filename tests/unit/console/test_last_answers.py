"""What of earlier answers is shown while Redis is away."""

from gateway.console.last_answers import LastAnswers, StaleAnswer

NOW = 1_796_000_000.0


def test_the_last_answer_to_the_same_question_is_shown_with_its_time() -> None:
    last = LastAnswers()
    last.keep("letters", {"group": "a", "reason": "failed"}, "older", now=NOW)
    last.keep("letters", {"reason": "failed", "group": "a"}, "newer", now=NOW + 10)
    last.keep("letters", {"group": "b"}, "other", now=NOW + 11)

    assert last.instead(
        "letters", {"group": "a", "reason": "failed"}, "away", now=NOW + 20
    ) == StaleAnswer(why_not="away", at="2026-11-30T00:53:30Z", answer="newer")
    for name, fields in (("letters", {}), ("stuck", {"group": "b"})):
        nothing = StaleAnswer(why_not="away", at=None, answer=None)
        assert last.instead(name, fields, "away", now=NOW + 20) == nothing


def test_an_answer_is_forgotten_after_an_hour_and_when_there_are_many() -> None:
    last = LastAnswers()
    last.keep("now", {}, "an answer", now=NOW)

    assert last.instead("now", {}, "away", now=NOW + 3600).answer == "an answer"
    assert last.instead("now", {}, "away", now=NOW + 3601).answer is None

    last.keep("now", {}, "an answer", now=NOW)
    for number in range(20):
        last.keep("event", {"id": str(number)}, "another", now=NOW)
    assert last.instead("now", {}, "away", now=NOW).answer is None
    assert last.instead("event", {"id": "0"}, "away", now=NOW).answer == "another"
