"""Names of fields and texts that hold a key, whatever the key looks like."""

import pytest

from gateway.secrets_in_data import names_a_secret, without_secrets

KEY = "zQ9xk"
"""So short that nothing but its name and its place tell what it is."""


@pytest.mark.parametrize(
    "name",
    [
        *("access_token", "accessToken", "accesstoken", "ACCESSTOKEN", "Apptoken", "TOKENS"),
        *("client_secret", "clientSecret", "CLIENTSECRET", "secretkey", "privateKey", "x-api-key"),
        *("PASSWORD", "userpassword", "USER_PASSWORD", "passwd", "pwd", "PASS", "passphrase"),
        *("AUTH", "auth", "AUTH_ID", "REFRESH_ID", "Authorization", "APP_SID", "credentials"),
        *("PHPSESSID", "bitrix_sessid", "COOKIE", "csrf", "jwt", "bearer", "OTP", "LICENSE_KEY"),
        *("downloadLink", "DOWNLOAD_URL", "downloadUrl", "urlMachine", "WEBHOOK_URL"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "ID",
            "FIELDS",
            "author",
            "AUTHOR_ID",
            "SECRETARY",
            "secretaryId",
            "passenger",
            "PASSPORT",
        ),
        *("session", "sessionId", "side", "resid", "KEY", "keyboard", "design", "SIGNED", "link"),
        *("UF_CRM_1742999523", "TYPE_ID", "externalCode", "compass", "turkey", "HOOKED", "обид"),
    ],
)
def test_names_that_only_sound_alike_are_none(name: str) -> None:
    assert not names_a_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        "https://acme.bitrix24.com/rest/1/{}/",
        "HTTPS://ACME.BITRIX24.COM/REST/1/{}/crm.deal.get",
        "https://acme.bitrix24.com/rest/api/1/{}/tasks.task.get",
        "https://acme.bitrix24.com//rest//1/{}",
        "see https://acme.bitrix24.com/rest/1/{}/, please",
        r"https:\/\/acme.bitrix24.com\/rest\/1\/{}\/crm",
        "https%3A%2F%2Facme.bitrix24.com%2Frest%2F1%2F{}%2F",
        "see https://a.example/x?url=https%3A%2F%2Facme%2Frest%2F1%2F{}%2F and go",
        "https://acme.bitrix24.com/~{}",
        "[url=https://acme.bitrix24.com/~{}]offer.pdf[/url]",
        "https://erika:{}@a.example/",
        "https://a.example/b?token={}",
        "https://a.example/b#access_token={}",
        "go to https://a.example/b#access_token={}&x=1",
        "x?a=b&amp;auth={}",
        "token%3D{}",
        "APP_SID={}",
        "access_token: {}",
        '{{"access_token":"{}","expires":3600}}',
        '{{"access_token": "{}"}}',
        r'"{{\"refresh_token\":\"{}\"}}"',
        "Authorization: Bearer {}",
        "Authorization: {}",
        "The password is: no; Passwort: {}",
        "Пароль: {}",
        "secret = {}",
    ],
)
def test_a_key_in_a_text_is_known_by_what_stands_before_it(text: str) -> None:
    whole = text.format(KEY)
    said = without_secrets(whole)

    assert KEY not in said
    assert said[:4] == whole[:4]


@pytest.mark.parametrize(
    "text",
    [
        "The author: Erika Muster",
        "Secretary: Erika, phone: 030 1234567",
        "https://acme.bitrix24.com/crm/deal/details/77/",
        "https://acme.bitrix24.com/rest/",
        "a/b ~ c/d, 50% = half, at 10:30",
        "See the rest/of it",
        "https://www.example.edu/~muster/",
        "Auth",
    ],
)
def test_other_texts_are_kept(text: str) -> None:
    assert without_secrets(text) == text
