"""The sandbox's limits over minutes and days, which no test can wait for."""

from gateway.sandbox.grants import Grants
from gateway.sandbox.limits import LeakyBucket, OperatingTime

NOW = 1_700_000_040.0  # the beginning of a minute


def test_a_bucket_takes_a_burst_and_then_as_many_as_leak() -> None:
    bucket = LeakyBucket(requests_per_s=2, burst=50)

    assert [bucket.admits(100.0) for _ in range(60)].count(True) == 50
    assert [bucket.admits(101.0) for _ in range(10)].count(True) == 2
    assert [bucket.admits(200.0) for _ in range(60)].count(True) == 50


def test_what_is_refused_does_not_fill_the_bucket() -> None:
    bucket = LeakyBucket(requests_per_s=1, burst=1)
    assert bucket.admits(0.0)

    assert not any(bucket.admits(0.5 + number / 1000) for number in range(400))
    assert bucket.admits(1.0)


def test_operating_time_comes_back_by_the_minute_in_which_it_was_spent() -> None:
    times = OperatingTime(limit_s=480)
    for minute in range(5):
        times.spend("oauth:a", "m", 100, NOW + minute * 60)
    last = NOW + 4 * 60

    assert times.is_over("oauth:a", "m", last)
    assert times.reset_at("oauth:a", "m", last) == NOW + 600
    assert times.is_over("oauth:a", "m", NOW + 599)
    assert not times.is_over("oauth:a", "m", NOW + 600)
    assert times.spent_s("oauth:a", "m", NOW + 600) == 400
    assert times.reset_at("oauth:a", "m", NOW + 600) == NOW + 660
    assert times.spent_s("oauth:a", "m", NOW + 4 * 60 + 600) == 0


def test_operating_time_is_each_callers_and_each_methods_own() -> None:
    times = OperatingTime(limit_s=1)
    times.spend("oauth:a", "m", 2, NOW)

    assert times.is_over("oauth:a", "m", NOW)
    assert not times.is_over("oauth:b", "m", NOW)
    assert not times.is_over("webhook:a", "m", NOW)
    assert not times.is_over("oauth:a", "n", NOW)


def test_tokens_expire_are_forgotten_and_refresh_tokens_end_after_180_days() -> None:
    now = [NOW]
    grants = Grants(lambda: now[0])
    first = grants.issue("app", "m", 1)
    late = grants.issue("app", "m", 1)

    now[0] += 3600
    assert grants.of(first.access_token) == first
    assert grants.has_expired(first)
    now[0] += 3601
    grants.issue("app", "m", 1)
    assert grants.of(first.access_token) is None

    assert grants.renew("app", first.refresh_token) is not None
    now[0] = NOW + 180 * 86_400
    assert grants.renew("app", late.refresh_token) is None
