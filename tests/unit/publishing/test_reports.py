from gateway.publishing.spool.reports import SpoolReport, complete_until_ms

NOW = 10_000_000


def until(*reports: tuple[int, int], patience_s: float = 3600) -> int:
    told = [SpoolReport(told_ms=told_ms, oldest_ms=oldest_ms) for told_ms, oldest_ms in reports]
    return complete_until_ms(told, now_ms=NOW, patience_s=patience_s)


def test_without_receivers_nothing_waits_anywhere() -> None:
    assert until() == NOW


def test_an_empty_spool_vouches_for_the_time_up_to_its_report() -> None:
    assert until((NOW - 3000, 0)) == NOW - 3000


def test_a_spool_with_events_vouches_for_the_time_before_the_oldest() -> None:
    assert until((NOW - 500, NOW - 60_000)) == NOW - 60_000


def test_the_worst_of_several_spools_decides() -> None:
    assert until((NOW - 500, 0), (NOW - 200, NOW - 9000), (NOW - 4000, 0)) == NOW - 9000


def test_a_silent_spool_is_waited_for_and_then_given_up() -> None:
    silent = (NOW - 600_000, 0)

    assert until((NOW, 0), silent, patience_s=601) == NOW - 600_000
    assert until((NOW, 0), silent, patience_s=600) == NOW
