"""The stored tokens of a portal, as tests look at them."""

from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.token_store import TokenStore
from gateway.bitrix24.tokens import Tokens
from gateway.sandbox.assembly import Sandbox
from tests.integration.bitrix24.conftest import (
    MEMBER_ID,
)


def store_of(gateway: Bitrix24) -> TokenStore:
    assert gateway.tokens is not None
    return gateway.tokens


async def kept_by(gateway: Bitrix24) -> Tokens:
    tokens = await store_of(gateway).read(MEMBER_ID)
    assert tokens is not None
    return tokens


def refreshes(sandbox: Sandbox) -> list[str | None]:
    """The error of each call for new tokens, None for those that were given."""
    calls = sandbox.authorization.calls
    return [call.error for call in calls if call.method == "oauth/token"]
