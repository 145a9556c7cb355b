"""The library of Standard Webhooks judges what we sign."""

import time
from base64 import b64encode

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.errors import SettingsError
from gateway.webhooks.webhook_signatures import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    secret_key,
    signature,
    signing_key,
)

OLD = "whsec_" + b64encode(b"a fake secret, the old one....").decode()
NEW = "whsec_" + b64encode(b"a fake secret, the new one....").decode()
BODY = '{"text": "скидка 19%"}'.encode()


def headers(*secrets: str, body: bytes = BODY, timestamp: int | None = None) -> dict[str, str]:
    timestamp = int(time.time()) if timestamp is None else timestamp
    keys = [signing_key(secret_key(secret, name="secret")) for secret in secrets]
    return {
        ID: "01a20519",
        TIMESTAMP: str(timestamp),
        SIGNATURE: signature(keys, message_id="01a20519", timestamp=timestamp, body=body),
    }


def test_the_library_accepts_what_is_signed() -> None:
    assert Webhook(NEW).verify(BODY, headers(NEW)) == {"text": "скидка 19%"}


def test_while_a_secret_is_replaced_receivers_with_either_accept() -> None:
    for secret in (OLD, NEW):
        Webhook(secret).verify(BODY, headers(NEW, OLD))


def test_the_library_refuses_another_secret_another_body_and_another_time() -> None:
    for wrong in (headers(OLD), headers(NEW, body=b"{}"), headers(NEW, timestamp=1)):
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(BODY, wrong)


def test_a_secret_may_lack_its_prefix_and_its_padding() -> None:
    key = secret_key(NEW, name="secret")

    assert secret_key(NEW.removeprefix("whsec_"), name="secret") == key
    assert secret_key(NEW.rstrip("="), name="secret") == key


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "not Base64!", "whsec_" + 90 * "A"])
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"crm secrets\[1\]: a secret is whsec_") as raised:
        secret_key(secret, name="crm secrets[1]")

    assert secret not in str(raised.value).replace("whsec_ and the", "")
