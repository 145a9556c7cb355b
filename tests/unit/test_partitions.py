"""Which partition an event stands on: the same in every version."""

import pytest

from gateway.contract import APP_SUBJECT, PORTAL_SUBJECT, EventSubject, Streams

MEMBER = "010b6886ebc205e43ae65000ee00addb"
APP = EventSubject(APP_SUBJECT)
COMMENT = EventSubject.of_comment(999)


@pytest.mark.parametrize(
    ("subject", "partitions", "partition"),
    [
        (COMMENT, 1, 0),
        (COMMENT, 3, 2),
        (COMMENT, 8, 7),
        (COMMENT, 64, 31),
        (EventSubject.of_comment(1), 64, 63),
        (EventSubject.of_comment(2**63 - 1), 64, 54),
        (APP, 8, 1),
        (APP, 64, 41),
        (EventSubject(PORTAL_SUBJECT), 64, 41),
    ],
)
def test_a_subject_stays_on_the_partition_that_it_has_always_had(
    subject: EventSubject, partitions: int, partition: int
) -> None:
    assert Streams(partitions=partitions).partition_of(MEMBER, subject) == partition


def test_the_name_of_a_portal_is_taken_as_utf8() -> None:
    assert Streams(partitions=64).partition_of("портал", COMMENT) == 25


def test_a_thing_of_another_kind_is_not_bound_to_the_comment_of_the_same_number() -> None:
    streams = Streams(partitions=64)

    pairs = [
        (
            streams.partition_of(MEMBER, EventSubject("deal", number)),
            streams.partition_of(MEMBER, EventSubject.of_comment(number)),
        )
        for number in range(1, 65)
    ]

    assert any(deal != comment for deal, comment in pairs)
    assert len({deal for deal, _ in pairs}) > 1


@pytest.mark.parametrize(
    "subject",
    [
        COMMENT,
        APP,
        EventSubject("deal", 77),
        EventSubject("call", "007"),
        EventSubject("chat", "chat17"),
    ],
)
def test_a_subject_is_read_as_it_is_written(subject: EventSubject) -> None:
    assert EventSubject.parse(str(subject)) == subject


def test_a_subject_whose_id_is_missing_is_none_of_ours() -> None:
    with pytest.raises(ValueError, match="the id is missing"):
        EventSubject.parse("comment/")
