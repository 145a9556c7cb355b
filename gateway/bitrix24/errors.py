"""Says what may come of a call to a portal or to the authorization server.

The class says who has to act; `is_retryable`, whether the same call may succeed later by itself.
No message, attribute or cause of these exceptions holds a token or a webhook's code.

    Bitrix24Error
        Unavailable         nobody: try again later
            MaybeDone       … but the call may have been carried out
            StoreUnavailable
            Untrusted       the operator: the server's certificate is not accepted
            UnknownName     the operator: no server is known by that name
        Limited             nobody: try again in `retry_in_s`
            TooManyRequests
            OperationTimeLimit
        Unauthorized        the operator: install the application again, or give it rights
            NoCredentials
            TokenRejected
        NotInPlan           the operator: the portal's plan or licence does not have it
            NoRest          … nor REST at all
        PortalMoved         the caller: the portal answers at `host` now
        PortalGone          nobody: the portal was deleted
        Refused             the caller: this call will never succeed as it is
            NotFound        … only ever the answer to the very call, or to a batch's command
            AccessDenied
"""

from typing import ClassVar

from gateway.errors import GatewayError

__all__ = [
    "AccessDenied",
    "Bitrix24Error",
    "Limited",
    "MaybeDone",
    "NoCredentials",
    "NoRest",
    "NotFound",
    "NotInPlan",
    "OperationTimeLimit",
    "PortalGone",
    "PortalMoved",
    "Refused",
    "StoreUnavailable",
    "TokenRejected",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnknownName",
    "Untrusted",
]


class Bitrix24Error(GatewayError):
    """A call that did not give a result; `code` is Bitrix24's own, in lower case, or empty."""

    is_retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Unavailable(Bitrix24Error):
    """No result, through no fault of the call, which was not carried out."""

    is_retryable = True


class MaybeDone(Unavailable):
    """No answer, or none that can be understood: the call may have been carried out or not."""


class StoreUnavailable(Unavailable):
    """Redis does not answer, which tokens and limits are kept in: the portal was not asked."""


class Untrusted(Unavailable):
    """The server's certificate is not accepted; nothing was sent. It lasts until somebody acts."""


class UnknownName(Unavailable):
    """The server's name leads to no address; nothing was sent. It may be DNS that is away."""


class Limited(Bitrix24Error):
    """A limit is reached; the call was not carried out, and may be after `retry_in_s` seconds."""

    is_retryable = True

    def __init__(self, message: str, *, retry_in_s: float, code: str = "") -> None:
        super().__init__(message, code=code)
        self.retry_in_s = retry_in_s


class TooManyRequests(Limited):
    """More requests a second than the portal takes from one address."""


class OperationTimeLimit(Limited):
    """The method has used up the portal's time for it."""


class Unauthorized(Bitrix24Error):
    """The gateway has no valid credentials for the portal, or not the scope that a method needs."""


class NoCredentials(Unauthorized):
    """Nobody has given the gateway anything to call this portal by."""


class TokenRejected(Unauthorized):
    """The access token is no longer good; another one may be."""


class NotInPlan(Bitrix24Error):
    """The portal's plan, licence or subscription does not include what was called."""


class NoRest(NotInPlan):
    """The portal's plan has no REST: it refuses every call, whatever that is about."""


class PortalMoved(Bitrix24Error):
    """The portal redirects to another address; nothing was sent there.

    `host` is what it names, with a port if there is one: a claim of whoever answered, not a fact.
    The authorization server knows the true address, and a refresh of the tokens takes it over.
    """

    def __init__(self, host: str) -> None:
        super().__init__(f"the portal redirects to {host}")
        self.host = host


class PortalGone(Bitrix24Error):
    """The portal was deleted."""


class Refused(Bitrix24Error):
    """The portal understood the call and will not carry it out; `description` is its reason."""

    def __init__(self, message: str, *, description: str = "", code: str = "") -> None:
        super().__init__(message, code=code)
        self.description = description


class NotFound(Refused):
    """What the call is about does not exist, or not any more.

    It answers the method that was called, or a command of a batch. A batch as a whole, a refresh
    of tokens and everything else that only is on the way to the method never ends with it.
    """


class AccessDenied(Refused):
    """The user whose token was used may not do or see this."""
