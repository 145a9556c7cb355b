from gateway.local.group_positions import GroupPositions


def seen(*ids: str) -> GroupPositions:
    progress = GroupPositions()
    for entry_id in ids:
        progress.seen(entry_id, f"comment of {entry_id}")
    return progress


def test_what_was_delivered_and_is_not_pending_is_acknowledged_once() -> None:
    progress = seen("1-0", "2-0", "3-0")

    first = list(progress.acknowledged("audit", last_delivered="2-0", pending={"2-0"}))
    second = list(progress.acknowledged("audit", last_delivered="3-0", pending=set()))

    assert first == ["comment of 1-0"]
    assert second == ["comment of 2-0", "comment of 3-0"]
    assert not list(progress.acknowledged("audit", last_delivered="3-0", pending=set()))


def test_groups_are_told_apart() -> None:
    progress = seen("1-0")

    assert list(progress.acknowledged("audit", last_delivered="1-0", pending=set()))
    assert list(progress.acknowledged("notifier", last_delivered="1-0", pending=set()))


def test_entry_ids_are_compared_as_numbers() -> None:
    assert not list(seen("10-0").acknowledged("g", last_delivered="9-0", pending=set()))


def test_only_the_newest_entries_are_kept() -> None:
    progress = seen(*(f"{number}-0" for number in range(1, 1101)))

    assert progress.span() == ("101-0", "1100-0")
    assert GroupPositions().span() is None
