from consumers.relay.delivery_rate import DeliveryRate
from consumers.relay.endpoint_standing import EndpointStanding


def test_a_first_failure_says_nothing_of_the_event() -> None:
    standing = EndpointStanding()
    standing.delivered("other", 1.0)

    assert standing.blames("bad", 2.0) == "endpoint"


def test_an_event_is_to_blame_from_when_others_were_taken_after_its_first_failure() -> None:
    standing = EndpointStanding()
    standing.blames("bad", 2.0)
    assert standing.blames("bad", 3.0) == "endpoint"
    standing.delivered("other", 4.0)

    # Also if nothing else comes in between.
    assert [standing.blames("bad", 5.0), standing.blames("bad", 3600.0)] == ["event", "event"]


def test_while_the_endpoint_is_away_no_event_is_to_blame() -> None:
    standing = EndpointStanding()
    standing.blames("bad", 1.0)
    standing.delivered("other", 2.0)
    assert standing.blames("bad", 3.0) == "event"
    assert standing.failed(4.0, for_all=True)

    assert standing.blames("bad", 5.0) == "endpoint"


def test_an_event_that_was_taken_at_last_begins_anew() -> None:
    standing = EndpointStanding()
    standing.blames("bad", 1.0)
    standing.delivered("bad", 2.0)

    assert standing.blames("bad", 3.0) == "endpoint"


def test_that_an_endpoint_is_away_is_told_once_and_so_is_its_return() -> None:
    standing = EndpointStanding()
    told = [standing.failed(float(moment), for_all=False) for moment in range(10)]

    assert told == [False] * 4 + [True] + [False] * 5
    assert standing.delivered("any", 30.0) == 30.0
    assert standing.delivered("any", 31.0) is None


def test_what_is_remembered_of_events_that_fail_is_bounded() -> None:
    standing = EndpointStanding()
    for number in range(10_001):
        standing.blames(f"{number}", 1.0)
    standing.delivered("other", 2.0)

    assert standing.blames("0", 3.0) == "endpoint"  # forgotten
    assert standing.blames("10000", 3.0) == "event"


def test_turns_are_spread_and_not_saved_up() -> None:
    rate = DeliveryRate(10)

    assert [round(rate.wait_s(100.0), 3) for _ in range(3)] == [0.0, 0.1, 0.2]
    assert rate.wait_s(200.0) == 0.0
    assert round(rate.wait_s(200.0), 3) == 0.1
    assert [DeliveryRate(0).wait_s(1.0) for _ in range(3)] == [0.0] * 3
