"""A status on a terminal of 80 columns."""

import pytest
from msgspec.structs import replace

from gateway.commands.status_screen import Screen
from gateway.status.group_summary import GroupTrend
from gateway.status.quantities import counted, size
from gateway.status.status_rules import faults_of
from tests.unit.status.looks import GROUP, RECEIVER, SPOOL, consumer, look

LARGE = look(
    groups=[
        replace(
            GROUP,
            group="search-index-of-the-other-team",
            waiting=12_345_678,
            in_hand=1_000,
            oldest_s=86400.0 * 3,
            dead_letters=99_999,
            unowned=(1, 2),
            trend=GroupTrend(unhandled_per_s=12_345.6, handled_per_s=1.0),
        )
    ],
    processes=[
        RECEIVER,
        consumer(
            "search-index-of-the-other-team",
            host="ip-10-0-0-1.eu-central-1.compute.internal",
            is_ready=False,
            why_not="a reason that is as long as it may be, " * 10,
            admin="127.0.0.1:65535",
        ),
    ],
    spools=[replace(SPOOL, state=replace(SPOOL.state, directory="/var/lib/gateway/spool" * 4))],
)


def test_no_line_is_longer_than_the_terminal_is_wide() -> None:
    lines = Screen().text(LARGE, faults_of(LARGE, memory_share=0.9), width=80).splitlines()

    assert max(map(len, lines)) <= 80
    assert "12,345,678" in "\n".join(lines)


def test_in_a_pipe_each_fault_is_a_line_and_nothing_is_cut() -> None:
    faults = faults_of(LARGE, memory_share=0.9)

    lines = Screen().text(LARGE, faults, width=None).splitlines()

    assert {f"* {' '.join(one.what.split())}" for one in faults} <= set(lines)
    assert not any(line.endswith("…") for line in lines)


def test_what_is_not_well_stands_first_and_nothing_of_it_is_cut() -> None:
    faults = faults_of(LARGE, memory_share=0.9)

    text = " ".join(Screen().text(LARGE, faults, width=80).split())

    assert text.index(faults[0].what) < text.index("Valkey 9.1.2")
    assert all(" ".join(one.what.split()) in text for one in faults)


def test_while_redis_is_away_the_last_look_is_shown_as_what_it_is() -> None:
    screen, away = Screen(), look(redis_why_not="does not answer", groups=None, processes=None)

    assert "audit" not in screen.text(away, [], width=80)
    screen.text(look(), [], width=80)
    shown = screen.text(replace(away, at="2026-01-31T12:00:02Z"), [], width=80)

    assert "as it was at 2026-01-31T12:00:00Z, when Redis was there:" in shown
    assert "audit" in shown.partition("as it was")[2]


@pytest.mark.parametrize(
    ("count", "written"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 50, "1024.0 TiB")]
)
def test_sizes_are_short(count: int, written: str) -> None:
    assert size(count) == written


def test_counts_have_their_noun() -> None:
    assert (counted(1, "event"), counted(2000, "event")) == ("1 event", "2,000 events")
