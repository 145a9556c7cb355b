"""How long the answer to a wrong token waits."""

from gateway.web.protection.wrong_tokens import WrongTokens


def test_each_wrong_token_of_a_client_waits_longer_up_to_two_seconds() -> None:
    tokens = WrongTokens()

    waits = [tokens.delay_s("192.0.2.1", now=float(second)) for second in range(8)]

    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert tokens.delay_s("192.0.2.2", now=8.0) == 0.1
    assert tokens.delay_s("192.0.2.1", now=9.0) == 2.0
    assert tokens.delay_s("192.0.2.1", now=70.0) == 0.1


def test_an_ipv6_network_is_one_client_and_no_address_another() -> None:
    tokens = WrongTokens()

    assert tokens.delay_s("2001:db8::1", now=0.0) == 0.1
    assert tokens.delay_s("2001:db8::2", now=0.0) == 0.2
    assert tokens.delay_s(None, now=0.0) == 0.1


def test_of_many_clients_those_who_were_wrong_longest_ago_are_forgotten() -> None:
    tokens = WrongTokens()
    tokens.delay_s("192.0.2.1", now=0.0)
    tokens.delay_s("192.0.2.2", now=0.0)
    for number in range(1022):
        tokens.delay_s(f"10.0.{number // 256}.{number % 256}", now=0.0)
    assert tokens.delay_s("192.0.2.1", now=0.0) == 0.2

    tokens.delay_s("10.1.0.0", now=0.0)

    assert tokens.delay_s("192.0.2.1", now=0.0) == 0.4
    assert tokens.delay_s("192.0.2.2", now=0.0) == 0.1
