"""Calls an authorization server: one that the settings name, and never one out of a body.

https://apidocs.bitrix24.com/settings/oauth/auto-renewal.html
https://apidocs.bitrix24.com/settings/oauth/simple-way.html
"""

import time
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.bitrix24.answers import Reply, answer_of
from gateway.bitrix24.endpoints import endpoint_of, is_local
from gateway.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    MaybeDone,
    NotFound,
    PortalMoved,
    Unauthorized,
)
from gateway.bitrix24.request_spans import request_span
from gateway.bitrix24.tokens import Tokens
from gateway.bitrix24.transport import Transport

__all__ = ["AppInfo", "AuthorizationServer"]

NotEmpty = Annotated[str, Meta(min_length=1)]


class _Issued(Struct):
    access_token: NotEmpty
    refresh_token: NotEmpty
    member_id: NotEmpty
    client_endpoint: str = ""
    expires: int = 0
    expires_in: int = 3600
    user_id: int = 0


class AppInfo(Struct, frozen=True, kw_only=True):
    """Whose an access token is, as the authorization server says.

    `endpoint` and `domain` are the portal's; `endpoint` is empty where it is none to send tokens
    to. An application with a page of its own is not installed before that page has said so.
    """

    client_id: str
    member_id: str
    user_id: int
    is_installed: bool
    endpoint: str
    domain: str
    status: str
    scope: str


class _Install(Struct):
    member_id: NotEmpty
    installed: bool | int | str = False
    client_endpoint: str = ""
    domain: str = ""
    status: str = ""
    scope: str = ""


class _AppInfo(Struct):
    client_id: NotEmpty
    install: _Install
    user_id: int = 0


class AuthorizationServer:
    """Refreshes tokens in the name of one application, and says whose a token is."""

    def __init__(
        self,
        transport: Transport,
        *,
        url: str,
        client_id: str,
        client_secret: str,
    ) -> None:
        """`url` is the server's root. Raises ValueError for a URL that is neither https nor on this
        machine.
        """
        self._transport = transport
        self.url = root = endpoint_of(url)
        # Where a public server sends tokens to this machine, somebody else has written its answer.
        self._may_be_local = is_local(root)
        self._url = f"{root}oauth/token/"
        self._app_info_url = f"{root}rest/app.info"
        self._client_id = client_id
        self._client_secret = client_secret

    @property
    def client_id(self) -> str:
        """The application's id."""
        return self._client_id

    async def app_info(self, access_token: str) -> AppInfo:
        """Whose this token is, which somebody has shown us.

        Raises Bitrix24Error: Unauthorized if it is nobody's, or has expired, PortalGone if its
        portal is no more; Unavailable or MaybeDone if the server says nothing, or nothing that can
        be understood.
        """
        body = msgspec.json.encode({"auth": access_token})
        with request_span("POST", self.url, "/rest/app.info") as answered:
            reply = answered(await self._transport.post(self._app_info_url, body))
            tree = _answer(reply, now=time.time(), secrets=(access_token,))
        try:
            info = msgspec.convert(tree.get("result"), _AppInfo, strict=False)
        except msgspec.ValidationError:
            info = None
        if info is None:
            raise MaybeDone("the authorization server's answer is not about an application")
        install = info.install
        return AppInfo(
            client_id=info.client_id,
            member_id=install.member_id,
            user_id=info.user_id,
            is_installed=_is_true(install.installed),
            endpoint=self._endpoint(install.client_endpoint),
            domain=install.domain,
            status=install.status,
            scope=install.scope,
        )

    async def refresh(self, tokens: Tokens) -> Tokens:
        """The pair that takes the place of `tokens`, whose refresh token may be used up by this.

        An endpoint that is missing in the answer, or not one to send tokens to, comes empty.
        Raises Bitrix24Error: Unauthorized if the grant is gone, PortalGone if the portal is;
        MaybeDone without an answer, after which only another try tells whether the old refresh
        token still works.
        """
        query = {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "refresh_token": tokens.refresh_token,
        }
        secrets = (self._client_secret, tokens.refresh_token, tokens.access_token)
        with request_span("GET", self.url, "/oauth/token/") as answered:
            reply = answered(await self._transport.get(self._url, query))
            now = time.time()
            tree = _answer(reply, now=now, secrets=secrets)
        try:
            issued = msgspec.convert(tree, _Issued, strict=False)
        except msgspec.ValidationError:
            issued = None
        if issued is None:
            raise MaybeDone("the authorization server's answer has not the tokens")
        if issued.member_id != tokens.member_id:
            raise MaybeDone("the authorization server's answer is about another portal")
        return Tokens(
            member_id=issued.member_id,
            endpoint=self._endpoint(issued.client_endpoint),
            user_id=issued.user_id,
            access_token=issued.access_token,
            expires_at=issued.expires or int(now) + issued.expires_in,
            refresh_token=issued.refresh_token,
            renewed_at=int(now),
            client_id=self._client_id,
            server=self.url,
        )

    def _endpoint(self, url: str) -> str:
        """Where a portal is said to be; empty for what is no place to send tokens to."""
        try:
            return endpoint_of(url, may_be_local=self._may_be_local)
        except ValueError:
            return ""


def _answer(reply: Reply, *, now: float, secrets: tuple[str, ...]) -> dict[str, Any]:
    """As `answer_of`; what it refuses is our access, never what a method will be asked for."""
    failure: Bitrix24Error
    try:
        return answer_of(reply, now=now, secrets=secrets)
    except PortalMoved:
        failure = MaybeDone("the authorization server redirects")
    except (NotFound, AccessDenied) as error:
        failure = Unauthorized(f"the authorization server: {error}", code=error.code)
    raise failure


def _is_true(value: Any) -> bool:
    """What PHP may make of a boolean on its way."""
    return value in (True, 1, "1", "Y", "y", "true")
