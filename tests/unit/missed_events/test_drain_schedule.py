from gateway.missed_events.drain_schedule import DrainSchedule


def test_a_signal_is_followed_when_its_change_has_settled() -> None:
    waking = DrainSchedule(settle_s=60)
    waking.signalled(["a"], 0)

    assert waking.due(59) == []
    assert waking.due(60) == ["a"]
    assert waking.due(1000) == []


def test_the_last_of_several_signals_is_followed_too() -> None:
    waking = DrainSchedule(settle_s=60)
    for moment in (0, 10, 50):
        waking.signalled(["a"], moment)

    assert waking.due(60) == ["a"]
    assert waking.due(109) == []
    assert waking.due(110) == ["a"]
    assert waking.due(1000) == []


def test_signals_without_end_are_followed_once_in_each_time_of_settling() -> None:
    waking = DrainSchedule(settle_s=60)
    followed = []
    for second in range(600):
        waking.signalled(["a"], second)
        followed += [second for _ in waking.due(second)]

    assert followed == list(range(60, 600, 60))


def test_portals_do_not_wait_for_each_other() -> None:
    waking = DrainSchedule(settle_s=60)
    waking.signalled(["a"], 0)
    waking.signalled(["b"], 30)

    assert [waking.due(60), waking.due(90)] == [["a"], ["b"]]
