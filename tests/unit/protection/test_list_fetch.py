"""When a list of senders is fetched."""

import pytest

from gateway.web.protection.list_fetch import is_due

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("tried_s", "fetched_s", "expected"),
    [
        (NOW, NOW, True),  # never tried, never fetched
        (301, 301, True),
        (299, 299, False),
        (61, 400, True),  # the last attempt failed a minute ago
        (59, 400, False),
        (61, NOW, True),
        (59, NOW, False),
        (-5, -5, True),  # the clock was set back
    ],
)
def test_it_is_fetched_in_time_and_never_twice_a_minute(
    tried_s: float, fetched_s: float, *, expected: bool
) -> None:
    due = is_due(now=NOW, tried_at=NOW - tried_s, fetched_at=NOW - fetched_s, refresh_s=300)

    assert due is expected
