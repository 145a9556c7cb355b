"""Says what is done for each portal again and again, and when it is due. Pure."""

from collections.abc import Awaitable, Callable, Collection, Iterable

from msgspec import Struct

from gateway.portals.directory import Portal

__all__ = ["Duty", "Timetable"]


class Duty(Struct, frozen=True, kw_only=True):
    """Something to do for each portal every `every_s` seconds, and when it is woken for.

    `carry_out` may be cancelled at any point, and carried out for several portals at once, but not
    twice at once for the same. It gives None, or in how many seconds it wants to go on with this
    portal: nothing should wait within it for long, since a number of portals have a turn at a time.
    It raises what went wrong: a Bitrix24Error, a RedisError and their like are told in one line,
    and the duty is tried again when it is due again. One that `asks` portals is put off while a
    portal does not answer.
    """

    name: str
    every_s: float
    carry_out: Callable[[Portal], Awaitable[float | None]]
    asks: bool = True


class Timetable:
    """Says when each duty is due for each portal; times are seconds of one clock.

    A portal that is new is due for everything at once.
    """

    def __init__(self, duties: Iterable[Duty]) -> None:
        self._duties = {duty.name: duty for duty in duties}
        self._due_at: dict[tuple[str, str], float] = {}
        self._under_way: set[tuple[str, str]] = set()

    def due(self, member_ids: Collection[str], now: float) -> list[tuple[Duty, str, float]]:
        """What is to be begun now, for these portals, and since when; all others are forgotten.

        Whoever asks begins it, and says when it is `done`.
        """
        self._due_at = {key: at for key, at in self._due_at.items() if key[1] in member_ids}
        found = []
        for duty in self._duties.values():
            for member_id in member_ids:
                key = (duty.name, member_id)
                if key not in self._under_way and (since := self._due_at.get(key, now)) <= now:
                    self._under_way.add(key)
                    self._due_at[key] = now + duty.every_s
                    found.append((duty, member_id, since))
        return found

    def done(self, duty: Duty, member_id: str) -> None:
        """It has ended, well or badly."""
        self._under_way.discard((duty.name, member_id))

    def put_off(self, duty: Duty, member_id: str, *, at: float) -> None:
        """It was not begun, and is due at `at`."""
        self.done(duty, member_id)
        self._due_at[duty.name, member_id] = at

    def wake(self, name: str, member_id: str, *, at: float) -> None:
        """Let a duty be due at `at`, or earlier if it is anyway."""
        key = (name, member_id)
        if key in self._due_at:
            self._due_at[key] = min(self._due_at[key], at)
