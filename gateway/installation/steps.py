"""Carries out a task of the journal. Every step may be repeated, by whichever process has it."""

import contextlib
from collections.abc import Awaitable, Callable
from time import time
from typing import Any, Final

import msgspec
import structlog

from gateway import metrics
from gateway.background import Errands
from gateway.bitrix24.bindings import Bound
from gateway.bitrix24.errors import Bitrix24Error
from gateway.contract import AppEvent
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.delivery import Delivery
from gateway.inbound.form import FormError
from gateway.inbound.form_fields import extract
from gateway.installation.claim import Claim, claim_of_event
from gateway.installation.errors import InstallationDelayed, NotConfirmed
from gateway.installation.installer import Installer
from gateway.installation.journal import Task
from gateway.installation.uninstalling import Uninstallation, Uninstaller
from gateway.portals.directory import Directory, Portal
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.publish_once import OncePublisher
from gateway.redis_access import connections
from gateway.vault.encryption import Unreadable, Vault

__all__ = ["TOO_LATE", "Installing", "Steps", "claimed"]

log: Any = structlog.get_logger(__name__)

TOO_LATE: Final = "too_late"
"""Why an installation is refused that waited until its access token was good no more."""
_ADMISSION: Final = Admission(Directory(()), EventSubscription())
# The events of the application are taken, whatever else is.
_USABLE_MS: Final = 3_600_000
# The access token by which an installation is confirmed is good for an hour.


class Installing:
    """Holds what installations need beside the steps: who confirms and registers them, the vault in
    which deliveries are sealed, and who binds a portal's events.
    """

    def __init__(
        self, installer: Installer, vault: Vault, binds: Callable[[str], Awaitable[Bound | None]]
    ) -> None:
        self._vault = vault
        self.installer = installer
        self.binds = binds
        self._binding = Errands("binding")

    def sealed(self, delivery: Delivery) -> bytes:
        """The delivery as the content of a task."""
        return self._vault.seal(msgspec.msgpack.encode(delivery))

    def opened(self, content: bytes) -> Delivery | None:
        """The delivery; None if the key is lost."""
        try:
            return msgspec.msgpack.decode(self._vault.open(content), type=Delivery)
        except (Unreadable, msgspec.DecodeError):
            return None

    def bind_soon(self, member_id: str) -> None:
        """Bind a portal's events in the background; what fails is bound by `gateway reconcile`."""
        self._binding.begin(self._bind(member_id), member_id=member_id)

    async def close(self) -> None:
        """End; bindings under way are cut off."""
        await self._binding.close()

    async def _bind(self, member_id: str) -> None:
        try:
            with contextlib.suppress(Bitrix24Error):  # told by whoever binds
                await self.binds(member_id)
        except connections.FAILURES as error:
            log.warning("it is not noted what was bound", member_id=member_id, why=repr(error))


class Steps:
    """Carries out the steps of each kind of task; `installing` is None without an application."""

    def __init__(
        self,
        *,
        publisher: OncePublisher,
        uninstaller: Uninstaller,
        installing: Installing | None,
    ) -> None:
        self._publisher = publisher
        self._uninstaller = uninstaller
        self._installing = installing

    async def carry_out(self, task: Task, *, is_urgent: bool) -> None:
        """Do all of it that is not done yet; it is urgent while somebody waits for the answer.

        Raises InstallationDelayed if it cannot be done now, NotConfirmed if it must not be.
        """
        if task.kind == "uninstall":
            await self._uninstall(task)
        else:
            await self._install(task, is_urgent=is_urgent)

    async def _install(self, task: Task, *, is_urgent: bool) -> None:
        if self._installing is None:
            raise InstallationDelayed("no_application")
        if time() * 1000 - task.received_ms > _USABLE_MS:
            raise NotConfirmed(TOO_LATE)
        delivery = self._installing.opened(task.content)
        if delivery is None:
            raise NotConfirmed("unreadable")
        installer = self._installing.installer
        one = await installer.confirm(
            claimed(delivery),
            received_ms=delivery.received_ms,
            is_complete=True,
            urgent_for=task.party if is_urgent else "",
        )
        await installer.register(one)
        if task.kind == "install":  # else it was admitted and stored like any event
            await self._publish(_event(delivery, domain=one.domain))
        metrics.INSTALLATIONS.labels("installed").inc()
        log.info(
            "the application was installed",
            event_id=task.receipt_id,
            member_id=one.member_id,
            domain=one.domain,
        )
        self._installing.bind_soon(one.member_id)

    async def _uninstall(self, task: Task) -> None:
        one = msgspec.msgpack.decode(task.content, type=Uninstallation)
        await self._publish(one.event)
        await self._uninstaller.take_away(task.member_id, one, received_ms=task.received_ms)
        metrics.UNINSTALLATIONS.inc()

    async def _publish(self, event: AppEvent) -> None:
        try:
            await self._publisher.publish([event])
        except StreamUnavailable as error:
            raise InstallationDelayed("redis") from error


def claimed(delivery: Delivery) -> Claim:
    """What the body of an ONAPPINSTALL says; raises NotConfirmed."""
    try:
        return claim_of_event(delivery.body, received_s=delivery.received_ms // 1000)
    except FormError as error:
        raise NotConfirmed("no_form") from error


def _event(delivery: Delivery, *, domain: str) -> AppEvent:
    """The event of an installation, with the domain that was confirmed."""
    fields = msgspec.structs.replace(extract(delivery.body), domain=domain)
    portal = Portal(member_id=delivery.member_id, domain=domain, digests=())
    verdict = _ADMISSION.normalise(
        fields, portal, receipt_id=delivery.receipt_id, received_ms=delivery.received_ms
    )
    # It is ONAPPINSTALL, or nobody asked.
    assert isinstance(verdict, Admitted)  # noqa: S101
    assert isinstance(verdict.event, AppEvent)  # noqa: S101
    return verdict.event
