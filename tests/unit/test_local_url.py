import pytest

from gateway.settings import AdminSettings, HttpSettings


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("gw.example", "gw.example"),
    ],
)
def test_a_listener_on_all_addresses_is_reached_on_loopback(host: str, reached: str) -> None:
    assert HttpSettings(host=host, port=80, path="/x").local_url == f"http://{reached}:80/x"
    assert AdminSettings(host=host, port=81).local_url == f"http://{reached}:81"
