from gateway.missed_events.comment_comparison import (
    Differences,
    Entity,
    KnownEntity,
    Listing,
    ToldContent,
    differences,
)


def known(told: dict[int, str], *, listed_ms: int = 1, highest_id: int = 0) -> KnownEntity:
    return KnownEntity(
        told={one: ToldContent(text, "then") for one, text in told.items()},
        listed_ms=listed_ms,
        highest_id=highest_id or max(told, default=0),
    )


def found(
    listed: dict[int, str], before: KnownEntity, *, is_complete: bool = True
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    found = differences(Listing(hashes=listed, is_complete=is_complete), before)
    return found.added, found.updated, found.deleted


def test_what_consumers_were_told_of_is_no_difference() -> None:
    assert not differences(Listing(hashes={1: "a"}, is_complete=True), known({1: "a"}))


def test_additions_edits_and_deletions_are_found() -> None:
    before = known({1: "a", 2: "b", 3: "c"})

    assert found({5: "e", 1: "a", 2: "B", 4: "d"}, before) == ((4, 5), (2,), (3,))


def test_at_first_sight_nothing_is_different() -> None:
    before = known({1: "a", 2: "b"}, listed_ms=0)

    assert differences(Listing(hashes={1: "A", 3: "c"}, is_complete=True), before) == Differences()


def test_a_comment_with_an_old_id_has_moved_here_and_is_not_new() -> None:
    assert found({10: "a", 5: "b"}, known({10: "a"})) == ((), (), ())


def test_new_is_what_is_above_the_last_list_though_consumers_know_of_later_ones() -> None:
    """Comment 12 was missed, and 13 was not."""
    before = known({10: "a", 13: "d"}, highest_id=10)

    assert found({10: "a", 12: "c", 13: "d"}, before) == ((12,), (), ())


def test_of_a_long_list_old_comments_are_left_alone() -> None:
    before = known({1: "a", 2: "b", 50: "c", 51: "d"})

    assert found({50: "c", 52: "e"}, before, is_complete=False) == ((52,), (), (51,))


def test_an_entity_can_be_written_and_read() -> None:
    for entity in (Entity("deal", 15), Entity("dynamic_1036", 7)):
        assert Entity.of(str(entity)) == entity
