from gateway.missed_events.gaps import Gap, gaps_of, merged


def test_events_within_a_minute_of_each_other_are_one_gap() -> None:
    assert gaps_of([100, 0, 160, 40], "queue") == [Gap(first=0, last=160, events=4, way="queue")]


def test_a_longer_silence_parts_two_gaps() -> None:
    assert gaps_of([0, 61, 200], "queue") == [
        Gap(first=0, last=0, events=1, way="queue"),
        Gap(first=61, last=61, events=1, way="queue"),
        Gap(first=200, last=200, events=1, way="queue"),
    ]


def test_gaps_that_touch_or_overlap_are_one() -> None:
    gaps = [
        Gap(first=0, last=100, events=10, way="queue"),
        Gap(first=20, last=50, events=3, way="queue"),
        Gap(first=160, last=170, events=2, way="queue"),
    ]

    assert merged(gaps) == [Gap(first=0, last=170, events=15, way="queue")]


def test_what_was_found_in_another_way_is_another_gap() -> None:
    gaps = [
        Gap(first=0, last=100, events=10, way="queue"),
        Gap(first=50, last=50, events=1, way="sweep"),
        Gap(first=110, last=120, events=1, way="queue"),
    ]

    assert merged(gaps) == [
        Gap(first=0, last=120, events=11, way="queue"),
        Gap(first=50, last=50, events=1, way="sweep"),
    ]


def test_nothing_missed_is_no_gap() -> None:
    assert gaps_of([], "sweep") == []
