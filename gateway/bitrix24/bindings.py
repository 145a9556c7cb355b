"""Says what a portal is to tell this gateway, and asks it to, or not to any more.

https://apidocs.bitrix24.com/api-reference/events/event-bind.html
https://apidocs.bitrix24.com/api-reference/events/event-get.html
https://apidocs.bitrix24.com/api-reference/events/event-unbind.html
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.bitrix24.answers import Answer, members_of
from gateway.bitrix24.batching import MAX_COMMANDS, Command
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import Bitrix24Error, NoRest, NotInPlan, Refused
from gateway.contract import EVENT_TYPES
from gateway.event_subscription import EventSubscription

__all__ = [
    "Binding",
    "BindingComparison",
    "Bound",
    "Unbound",
    "bind",
    "bind_missing",
    "bindings_in",
    "compare",
    "digest_of_wanted",
    "expected",
    "unbind",
]

_NO_SUCH_EVENT: Final = "error_event_not_found"
# Also of one that the application has no right to.
_RIGHTS: Final = {row.wire_name: row.scope for row in EVENT_TYPES}
_ALREADY_BOUND: Final = "already bind"  # "Handler already binded" is what it says


class Binding(Struct, frozen=True, kw_only=True):
    """An event that goes to a handler's address or, without one, into the queue.

    `connector` names a part of the queue.
    """

    event: str
    handler: str = ""
    connector: str = ""

    @property
    def is_offline(self) -> bool:
        """Whether it is about the queue."""
        return not self.handler

    def __str__(self) -> str:
        return f"{self.event} (offline)" if self.is_offline else self.event


class BindingComparison(Struct, frozen=True, kw_only=True):
    """What a portal has bound, beside what it should have.

    `elsewhere` are expected events that (also) go to other addresses: an old one of this gateway,
    or that of another system which uses the same application. `extra` are other events that go to
    this gateway's address, and into its part of the queue with them.
    """

    present: tuple[Binding, ...]
    missing: tuple[Binding, ...]
    elsewhere: tuple[Binding, ...]
    extra: tuple[Binding, ...] = ()


class Bound(Struct, frozen=True, kw_only=True):
    """What came of binding: what is bound now, what the plan has not, and what failed, and why."""

    bound: tuple[Binding, ...]
    not_in_plan: tuple[Binding, ...] = ()
    failed: Mapping[Binding, str] = {}
    elsewhere: tuple[Binding, ...] = ()

    @property
    def queue(self) -> Literal["bound", "not_in_plan", "failed"]:
        """Whether events wait in the queue, too, as far as any of them can."""
        of_queue = [one for one in (*self.failed, *self.not_in_plan) if one.is_offline]
        if not of_queue or any(binding.is_offline for binding in self.bound):
            return "bound"
        return "not_in_plan" if any(one in of_queue for one in self.not_in_plan) else "failed"


class Unbound(Struct, frozen=True, kw_only=True):
    """What came of unbinding: what is not bound any more, and what failed, and why."""

    unbound: tuple[Binding, ...]
    failed: Mapping[Binding, str] = {}


def expected(
    handler: str, subscription: EventSubscription, *, connector: str = ""
) -> tuple[Binding, ...]:
    """All that the application is to bind in a portal, for deliveries to `handler`."""
    online = [Binding(event=event, handler=handler) for event in subscription.delivered]
    offline = [Binding(event=event, connector=connector) for event in subscription.queued]
    return (*online, *offline)


def digest_of_wanted(wanted: Sequence[Binding]) -> str:
    """What tells one choice of events from another, wherever they are delivered to."""
    return sha256("\n".join(map(str, wanted)).encode()).hexdigest()[:16]


def compare(wanted: Sequence[Binding], rows: Any) -> BindingComparison:
    """Compare with the result of `event.get`, whatever that is."""
    there = set(bindings_in(rows))
    addresses = {(binding.event, binding.is_offline) for binding in wanted}
    return BindingComparison(
        present=tuple(binding for binding in wanted if binding in there),
        missing=tuple(binding for binding in wanted if binding not in there),
        elsewhere=_in_order(
            binding
            for binding in there - set(wanted)
            if not binding.is_offline and (binding.event, False) in addresses
        ),
        extra=_in_order(_extra(wanted, there)),
    )


def _extra(wanted: Sequence[Binding], there: AbstractSet[Binding]) -> Iterable[Binding]:
    handlers = {one.handler for one in wanted if not one.is_offline}
    connectors = {one.connector for one in wanted if one.is_offline}
    others = there - set(wanted)
    online = {one for one in others if one.handler in handlers}
    events = {one.event for one in online}
    yield from online
    # What is queued alone may be another system's, which uses the same application.
    yield from (
        one
        for one in others
        if one.is_offline and one.event in events and one.connector in connectors
    )


def _in_order(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
    return tuple(sorted(bindings, key=lambda binding: (binding.event, binding.handler)))


async def bind(portal: PortalClient, wanted: Sequence[Binding]) -> Bound:
    """Bind what is not bound yet; may be repeated.

    Raises Bitrix24Error if the portal cannot be asked at all. What it refuses is told in the
    result, so that events which it does bind are delivered.
    """
    answer = await portal.call("event.get", is_repeatable=True)
    comparison = compare(wanted, answer.result)
    new = await bind_missing(portal, comparison.missing)
    return Bound(
        bound=(*comparison.present, *new.bound),
        not_in_plan=new.not_in_plan,
        failed=new.failed,
        elsewhere=comparison.elsewhere,
    )


async def bind_missing(portal: PortalClient, missing: Sequence[Binding]) -> Bound:
    """Bind these, of which it is known that they are not bound; else as `bind`."""
    bound: list[Binding] = []
    not_in_plan: list[Binding] = []
    failed: dict[Binding, str] = {}
    for first in range(0, len(missing), MAX_COMMANDS):
        some = missing[first : first + MAX_COMMANDS]
        answers = await _asked(portal, "event.bind", some)
        for binding, answer_or_error in zip(some, answers, strict=True):
            match answer_or_error:
                case Answer():
                    bound.append(binding)
                case Refused() as error if _ALREADY_BOUND in error.description.lower():
                    bound.append(binding)
                case Refused() as error if error.code == _NO_SUCH_EVENT:
                    failed[binding] = f"{error}{_needing(binding)}"
                case NotInPlan() as error if not isinstance(error, NoRest):
                    not_in_plan.append(binding)
                case Bitrix24Error() as error:
                    failed[binding] = str(error)
    return Bound(bound=tuple(bound), not_in_plan=tuple(not_in_plan), failed=failed)


def _needing(binding: Binding) -> str:
    right = _RIGHTS.get(binding.event)
    return f" (it takes the right `{right}`)" if right else ""


async def unbind(portal: PortalClient, unwanted: Sequence[Binding]) -> Unbound:
    """Unbind these, whoever's they are; may be repeated, for what is not bound is unbound.

    Raises Bitrix24Error if the portal cannot be asked at all; what it refuses is in the result.
    """
    unbound: list[Binding] = []
    failed: dict[Binding, str] = {}
    for first in range(0, len(unwanted), MAX_COMMANDS):
        some = unwanted[first : first + MAX_COMMANDS]
        answers = await _asked(portal, "event.unbind", some)
        for binding, answer in zip(some, answers, strict=True):
            if isinstance(answer, Bitrix24Error):
                failed[binding] = str(answer)
            else:
                unbound.append(binding)
    return Unbound(unbound=tuple(unbound), failed=failed)


async def _asked(
    portal: PortalClient, method: str, bindings: Sequence[Binding]
) -> list[Answer | Bitrix24Error]:
    """What the portal says to each; no more than a batch takes."""
    commands = {
        str(number): Command(method, _parameters(binding))
        for number, binding in enumerate(bindings)
    }
    answers = await portal.batch(commands, is_repeatable=True)
    return [answers[name] for name in commands]


def _parameters(binding: Binding) -> dict[str, Any]:
    if binding.handler:
        return {"event": binding.event, "handler": binding.handler}
    return {
        "event": binding.event,
        "event_type": "offline",
        "auth_connector": binding.connector or None,
    }


def bindings_in(rows: Any) -> Iterable[Binding]:
    """All that the result of `event.get` says, whatever that is."""
    for row in members_of(rows).values():
        fields = members_of(row)
        event = str(fields.get("event", "")).upper()
        if str(fields.get("offline", 0)) == "1":
            yield Binding(event=event, connector=str(fields.get("connector_id") or ""))
        elif fields.get("handler"):
            yield Binding(event=event, handler=str(fields["handler"]))
