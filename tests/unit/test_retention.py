"""Retention's decisions: what may go, who holds a stream, and what somebody else took away.

A stream is modelled by the plain list of its entries, groups by what they were delivered and have
acknowledged; the decisions see only what Redis would tell of it.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import EntryId
from gateway.redis_access.entry_count import counts_reads
from gateway.retention.episodes import Episodes
from gateway.retention.losses import Books, Loss, balanced, removal
from gateway.retention.precautions import dangers
from gateway.retention.stream_state import (
    GroupState,
    StreamState,
)
from gateway.retention.trim_plan import TrimRules, early_plan_for, fillers, plan_for
from gateway.settings import RetentionSettings

NOW = 1_000_000
IDS = st.builds(EntryId, st.integers(1, NOW), st.integers(0, 3))


class Model:
    """A stream and its groups, as Redis keeps them."""

    def __init__(self, entries: list[EntryId]) -> None:
        self.added = sorted(set(entries))
        self.entries = list(self.added)
        self.delivered: dict[str, EntryId] = {}
        self.unacknowledged: dict[str, set[EntryId]] = {}
        self.missed: dict[str, set[EntryId]] = {}
        self.read_counts: dict[str, int | None] = {}
        self.max_deleted = EntryId(0)

    def read(self, group: str, count: int, *, acknowledged: int) -> None:
        """Deliver up to `count` entries, the first of which are acknowledged."""
        place = self.delivered.setdefault(group, EntryId(0))
        found = [entry for entry in self.entries if entry > place][:count]
        self.unacknowledged.setdefault(group, set()).update(found[acknowledged:])
        if found:
            self.delivered[group] = found[-1]
        # Redis counts by position among all that were ever added, read or not; and not at all for
        # a group that it has delivered nothing.
        position = sum(entry <= self.delivered[group] for entry in self.added)
        self.read_counts[group] = position or None

    def remove(self, entries: set[EntryId], *, one_by_one: bool = False) -> None:
        gone = entries & set(self.entries)
        self.entries = [entry for entry in self.entries if entry not in gone]
        for group, place in self.delivered.items():
            unread = {entry for entry in gone if entry > place}
            lost = gone & self.unacknowledged[group]
            self.missed.setdefault(group, set()).update(unread | lost)
        if one_by_one:
            self.max_deleted = max([self.max_deleted, *gone])

    def state(self) -> StreamState:
        first = self.entries[0] if self.entries else None
        last = self.added[-1] if self.added else EntryId(0)
        return StreamState(
            length=len(self.entries),
            first=first,
            last=last,
            max_deleted=self.max_deleted,
            added=len(self.added),
            groups=tuple(self._group(name, first) for name in sorted(self.delivered)),
        )

    def _group(self, name: str, first: EntryId | None) -> GroupState:
        pending = self.unacknowledged[name]
        there = pending & set(self.entries)
        gone = {entry for entry in pending if first is None or entry < first}
        unread = [entry for entry in self.entries if entry > self.delivered[name]]
        return GroupState(
            name=name,
            delivered=self.delivered[name],
            read_count=self.read_counts[name],
            lag=len(unread),
            pending=len(pending),
            oldest_pending=min(there, default=None),
            next_unread=min(unread, default=None),
            pending_before_first=len(gone),
        )


@st.composite
def models(draw: st.DrawFn) -> Model:
    model = Model(draw(st.lists(IDS, max_size=30)))
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        for _ in range(draw(st.integers(1, 3))):
            model.read(name, draw(st.integers(0, 12)), acknowledged=draw(st.integers(0, 12)))
    return model


@st.composite
def rules(draw: st.DrawFn) -> TrimRules:
    return TrimRules(
        keep_ms=draw(st.integers(0, NOW)),
        warn_held_ms=draw(st.integers(0, NOW)),
        non_holding=frozenset(draw(st.sets(st.sampled_from("abcd")))),
    )


@given(models(), rules())
def test_only_old_entries_that_every_holding_group_acknowledged_go_and_all_in_front_of_the_rest(
    model: Model, rules: TrimRules
) -> None:
    state = model.state()
    plan = plan_for(state, rules, now_ms=NOW)

    def is_through(group: GroupState, entry: EntryId) -> bool:
        return entry <= group.delivered and entry not in model.unacknowledged[group.name]

    holding = [group for group in state.groups if group.name not in rules.non_holding]
    may_go = [
        entry[0] < NOW - rules.keep_ms and all(is_through(group, entry) for group in holding)
        for entry in model.entries
    ]
    goes = [plan.trim_to is not None and entry < plan.trim_to for entry in model.entries]
    kept_from = may_go.index(False) if False in may_go else len(may_go)
    assert goes == [True] * kept_from + [False] * (len(may_go) - kept_from)
    assert plan.seen == tuple((group.name, group.delivered) for group in holding)


@given(models(), rules())
def test_a_trimmed_stream_has_nothing_left_to_trim(model: Model, rules: TrimRules) -> None:
    plan = plan_for(model.state(), rules, now_ms=NOW)
    if plan.trim_to is None:
        return
    model.remove({entry for entry in model.entries if entry < plan.trim_to})

    assert plan_for(model.state(), rules, now_ms=NOW).trim_to is None


@given(models(), rules())
def test_who_holds_a_stream_for_long_is_named_with_its_oldest_entry(
    model: Model, rules: TrimRules
) -> None:
    holders = plan_for(model.state(), rules, now_ms=NOW).holders

    expected = {}
    for name in sorted(set(model.delivered) - rules.non_holding):
        needed = [
            entry
            for entry in model.entries
            if entry > model.delivered[name] or entry in model.unacknowledged[name]
        ]
        if needed and NOW - needed[0][0] >= rules.warn_held_ms:
            expected[name] = (len(needed), needed[0], NOW - needed[0][0])
    assert {h.group: (h.held, h.oldest, h.age_ms) for h in holders} == expected


def test_a_stream_without_groups_is_trimmed_by_age_alone() -> None:
    state = Model([EntryId(10), EntryId(500)]).state()

    plan = plan_for(state, TrimRules(keep_ms=NOW - 400, warn_held_ms=0), now_ms=NOW)

    assert plan.trim_to == EntryId(400)


@given(models(), st.integers(0, 30), st.data())
def test_what_retention_itself_removed_is_no_loss(
    model: Model, count: int, data: st.DataObject
) -> None:
    books = balanced(model.state(), None)
    model.remove(set(model.entries[:count]))
    books = msgspec.structs.replace(books, own=model.state().removed)

    assert removal(model.state(), books, {}) is None


@given(models(), st.integers(1, 30), st.sampled_from(["known", "unknown"]))
def test_entries_that_others_trimmed_in_front_of_a_group_are_counted_exactly(
    model: Model, count: int, past: str
) -> None:
    before = model.state()
    books = balanced(before, None)
    known = {group.name: group for group in before.groups} if past == "known" else {}
    gone = set(model.entries[:count])
    model.remove(gone)

    found = removal(model.state(), books, known)

    assert (found.count if found else 0) == len(gone)
    losses = {loss.group: (loss.at_least, loss.at_most) for loss in found.losses} if found else {}
    # Of a group that never read, nobody knows whether it was there already.
    is_new = {name for name, place in model.delivered.items() if place == EntryId(0) and not known}
    assert losses == {
        name: (0 if name in is_new else len(missed), len(missed))
        for name, missed in model.missed.items()
        if missed
    }


@given(models(), st.data())
def test_what_a_group_lost_is_between_the_least_and_the_most_that_is_told(
    model: Model, data: st.DataObject
) -> None:
    before = model.state()
    books = balanced(before, None)
    known = {group.name: group for group in before.groups}
    if data.draw(st.booleans()) and model.entries:
        model.remove(data.draw(st.sets(st.sampled_from(model.entries))), one_by_one=True)
    model.remove(set(model.entries[: data.draw(st.integers(0, 30))]))
    for name in sorted(model.delivered):  # they go on before anybody looks
        model.read(name, data.draw(st.integers(0, 9)), acknowledged=9)
    is_believed = data.draw(st.booleans())
    if not is_believed:  # and the server has been restarted
        model.read_counts = {name: count and 1 for name, count in model.read_counts.items()}
    now = model.state() if is_believed else model.state().without_counts()

    found = removal(now, books, known)

    told = {loss.group: loss for loss in found.losses} if found else {}
    for name, missed in model.missed.items():
        in_front = {
            entry
            for entry in missed
            if entry not in model.unacknowledged[name] or entry < model.state().begins_at
        }
        loss = told.get(name, Loss(name, 0, 0))
        assert loss.at_least <= len(missed)
        assert len(in_front) <= loss.at_most


def lost(
    model: Model, *, gone: set[EntryId], one_by_one: bool, then_reads: int
) -> tuple[Loss, ...]:
    """What is told of group `a` after a removal that a look follows."""
    before = model.state()
    model.remove(gone, one_by_one=one_by_one)
    model.read("a", then_reads, acknowledged=then_reads)
    known = {group.name: group for group in before.groups}
    found = removal(model.state(), balanced(before, None), known)
    return found.losses if found else ()


@pytest.mark.parametrize(
    ("gone", "one_by_one", "then_reads", "losses"),
    [
        # The group has read 1 and 2 of 1 to 6.
        ({EntryId(1), EntryId(2)}, False, 0, ()),
        ({EntryId(1), EntryId(2)}, False, 2, ()),
        ({EntryId(1), EntryId(2), EntryId(3)}, False, 0, (Loss("a", 1, 1),)),
        ({EntryId(1), EntryId(2), EntryId(3)}, False, 1, (Loss("a", 0, 3),)),
        ({EntryId(1)}, True, 0, ()),
        ({EntryId(1), EntryId(4)}, True, 0, (Loss("a", 1, 2),)),
        ({EntryId(1), EntryId(4)}, True, 1, (Loss("a", 1, 2),)),
        ({EntryId(1), EntryId(4)}, True, 3, (Loss("a", 0, 2),)),
    ],
)
def test_a_loss_is_told_as_surely_as_it_can_be_known(
    gone: set[EntryId], *, one_by_one: bool, then_reads: int, losses: tuple[Loss, ...]
) -> None:
    model = Model([EntryId(number) for number in range(1, 7)])
    model.read("a", 2, acknowledged=2)

    assert lost(model, gone=gone, one_by_one=one_by_one, then_reads=then_reads) == losses


def test_a_server_that_forgot_what_was_read_makes_no_loss() -> None:
    """As Redis 7.0 does when it starts: what the group has read it takes for never delivered."""
    model = Model([EntryId(number) for number in range(1, 7)])
    model.read("a", 4, acknowledged=4)
    model.read_counts["a"] = 1
    before = model.state()
    model.remove({EntryId(1), EntryId(2), EntryId(3), EntryId(4)})
    known = {group.name: group for group in before.groups}

    found = removal(model.state().without_counts(), balanced(before, None), known)

    assert found is not None
    assert (found.count, found.losses) == (4, ())


@pytest.mark.parametrize(
    ("server", "is_believed"),
    [
        ({"redis_version": "7.0.15"}, False),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.9"}, False),
        ({"redis_version": "7.4.0"}, True),
        ({"redis_version": "8.10.2"}, True),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, True),
        ({}, False),
    ],
)
def test_which_servers_know_what_groups_have_read(
    server: dict[str, str], *, is_believed: bool
) -> None:
    assert counts_reads(server) is is_believed


def test_a_removal_is_told_once() -> None:
    model = Model([EntryId(1), EntryId(2), EntryId(3)])
    model.read("a", 1, acknowledged=1)
    books = balanced(model.state(), None)
    model.remove({EntryId(1), EntryId(2)})
    found = removal(model.state(), books, {})
    assert found is not None
    assert found.losses == (Loss("a", 1, 1),)

    assert removal(model.state(), balanced(model.state(), books), {}) is None


def test_a_stream_that_was_made_anew_is_not_judged_by_the_old_ones_books() -> None:
    books = Books(own=100, others=7, max_deleted=EntryId(0))
    state = Model([EntryId(1)]).state()

    assert removal(state, books, {}) is None
    assert balanced(state, books) == Books(own=0, others=0, max_deleted=EntryId(0))


def test_days_of_the_settings_are_milliseconds_of_the_rules() -> None:
    rules = TrimRules.of(RetentionSettings(days=0.5, warn_held_days=1, non_holding_groups=("a",)))

    assert (rules.keep_ms, rules.warn_held_ms) == (43_200_000, 86_400_000)
    assert rules.non_holding == {"a"}


def test_room_is_made_before_new_events_have_to_wait_unless_days_come_first() -> None:
    rules = TrimRules.of(RetentionSettings(max_memory_share=0.5))

    assert rules.early_from is not None
    assert rules.early_to < rules.early_from < 0.5
    assert TrimRules.of(RetentionSettings(days_first=True)).early_from is None


@given(models(), rules())
def test_what_goes_early_is_all_that_every_group_has_acknowledged(
    model: Model, rules: TrimRules
) -> None:
    plan = early_plan_for(model.state(), rules)

    holding = set(model.delivered) - rules.non_holding
    may_go = []
    for entry in model.entries:
        if any(
            entry > model.delivered[name] or entry in model.unacknowledged[name] for name in holding
        ):
            break
        may_go.append(entry)
    if not model.delivered:  # nobody has handled anything
        may_go = []
    going = [] if plan.trim_to is None else [e for e in model.entries if e < plan.trim_to]
    assert going == may_go


def test_who_fills_a_server_is_who_holds_more_than_is_in_flight() -> None:
    model = Model([EntryId(number) for number in range(1, 2002)])
    model.read("quick", 2001, acknowledged=1990)
    model.read("slow", 10, acknowledged=10)
    model.read("declared", 0, acknowledged=0)
    rules = TrimRules(keep_ms=0, warn_held_ms=0, non_holding=frozenset({"declared"}))

    assert fillers(model.state(), rules) == {"slow": 1991}


def test_a_stream_that_no_group_reads_fills_a_server_by_itself() -> None:
    rules = TrimRules(keep_ms=0, warn_held_ms=0)

    assert fillers(Model([EntryId(1), EntryId(2)]).state(), rules) == {"": 2}
    assert fillers(Model([]).state(), rules) == {}


def test_a_trouble_is_told_again_only_after_it_has_ended() -> None:
    episodes = Episodes()
    told = [sorted(episodes.begun("s", troubles)) for troubles in ("a", "ab", "b", "ab", "ab")]

    assert told == [["a"], ["b"], [], ["a"], []]
    assert episodes.begun("t", "a") == {"a"}


def test_dangers_are_an_eviction_policy_no_memory_limit_and_no_append_only_file() -> None:
    safe = {"maxmemory_policy": "noeviction", "maxmemory": 1 << 30}
    assert dangers(safe, {"aof_enabled": 1}) == []
    assert dangers({"maxmemory_policy": "noeviction"}, {"aof_enabled": 1}) == []  # does not tell

    found = dangers({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, {"aof_enabled": 0})

    told = [text.split(" is ")[0] for text in found]
    assert told == ["maxmemory-policy", "maxmemory", "appendonly"]


def test_a_number_of_the_server_that_cannot_be_believed_is_not_shown() -> None:
    model = Model([EntryId(number) for number in range(1, 7)])
    model.read("middle", 2, acknowledged=2)
    model.read("end", 6, acknowledged=6)
    state = model.state().without_counts()

    assert {group.name: state.held(group) for group in state.groups} == {"middle": None, "end": 0}
