"""Ports for servers that are about to be started."""

from gateway.local.redis_server import free_port


def test_nobody_is_given_a_port_twice_before_he_listens() -> None:
    given = [free_port() for _ in range(500)]  # by chance alone, some seven would be

    assert len(set(given)) == len(given)
