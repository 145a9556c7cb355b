"""Retention's decisions: what may go, who holds a stream, and what somebody else took away.

A stream is modelled by the plain list of its entries, groups by what they were delivered and have
acknowledged; the decisions see only what Redis would tell of it.
"""

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import EntryId
from gateway.retention.episodes import Episodes
from gateway.retention.precautions import dangers
from gateway.retention.stream_state import (
    GroupState,
)
from gateway.retention.trim_plan import TrimRules, early_plan_for, fillers, plan_for
from gateway.settings import RetentionSettings
from tests.unit.stream_model import NOW, Model, models


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

    told = [danger.what.split(" is ")[0] for danger in found]
    assert told == ["maxmemory-policy", "maxmemory", "appendonly"]


def test_a_number_of_the_server_that_cannot_be_believed_is_not_shown() -> None:
    model = Model([EntryId(number) for number in range(1, 7)])
    model.read("middle", 2, acknowledged=2)
    model.read("end", 6, acknowledged=6)
    state = model.state().without_counts()

    assert {group.name: state.held(group) for group in state.groups} == {"middle": None, "end": 0}
