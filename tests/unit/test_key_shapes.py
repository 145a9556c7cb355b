"""What a text says is kept, but for what has the shape of a key."""

import random
import string

import pytest

from gateway.inbound.key_shapes import without_keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "77",
        "-1250.50",
        "18446744073709551615",
        "+49 30 1234567-89",
        "2026-11-28T10:05:00+01:00",
        "20261128T100500Z",
        "#df532d",
        "C1:PREPAYMENT_INVOICE",
        "DT1036_14:NEW",
        "UF_CRM_5F33A1E2E3D1B",
        "bx_65f1c2d3",
        "chat1453",
        "externalCallOfTheApplication",
        "IMG_20261128_100500.jpg",
        "erika.muster@example.com",
        "https://acme.bitrix24.com/crm/deal/details/77/",
        "crm,task,imbot,telephony,user_brief",
        "Rechtsschutzversicherungen für Bau- und Umzugsunternehmen",
        "Перезвоните по номеру 8 (495) 123-45-67, договор №2026/118-Ж",
        "ABC-1234/567 of 2026, 12x34x56 cm, v2.10.3",
        "PL61109010140000071219",
    ],
)
def test_what_people_and_portals_write_is_kept(text: str) -> None:
    assert without_keys(text) == text


def _random(alphabet: str, length: int) -> str:
    chance = random.Random(f"{alphabet}{length}")
    return "".join(chance.choices(alphabet, k=length))


KEYS = {
    "a token": _random("0123456789abcdef", 32),
    "a long token": _random("0123456789abcdef", 80),
    "a refresh token": _random(string.ascii_lowercase + string.digits, 32),
    "a webhook's": _random(string.ascii_lowercase + string.digits, 16),
    "of an application": _random(string.ascii_letters + string.digits, 50),
    "of capitals": _random(string.ascii_uppercase + string.digits, 20),
    "of Base64": _random(string.ascii_letters + string.digits + "-_", 43),
    "with hyphens": "-".join(_random("0123456789abcdef", length) for length in (8, 4, 4, 4, 12)),
    "of digits": "1" * 32,
}


@pytest.mark.parametrize("key", KEYS.values(), ids=list(KEYS))
@pytest.mark.parametrize(
    "text",
    ["{}", "the key is {}, keep it", '{{"k":"{}"}}', "ключ:{}.", "a={}&b=1", "<b>{}</b>", "x/{}/y"],
)
def test_a_key_is_masked_wherever_it_stands(text: str, key: str) -> None:
    assert without_keys(text.format(key)) == text.format("***")


def test_a_token_of_another_kind_is_masked_where_it_is_random() -> None:
    token = "110201543:" + KEYS["of an application"]

    assert without_keys(token) == "110201543:***"


def test_an_address_keeps_neither_query_nor_key() -> None:
    assert without_keys("https://x.example/rest/7/abcdefgh/crm.deal.get?auth=1") == (
        "https://x.example/rest/***/crm.deal.get"
    )
    assert without_keys("https://x.example/a?token=abc") == "https://x.example/a"


@pytest.mark.parametrize("text", ["auth: zQ9xk", "token=zQ9xk", "/~zQ9xk"])
def test_a_short_text_is_looked_at_as_well(text: str) -> None:
    assert "zQ9xk" not in without_keys(text)


def test_of_the_keys_that_a_portal_makes_none_of_32_is_kept_and_hardly_one_of_16() -> None:
    chance = random.Random(24)
    kept = {
        length: sum(
            without_keys(key) == key
            for key in (
                "".join(chance.choices(string.ascii_lowercase + string.digits, k=length))
                for _ in range(5_000)
            )
        )
        for length in (16, 32)
    }

    assert kept[32] == 0
    assert kept[16] < 60
