"""`consumers check` says of good and bad services what they do with what may come."""

import json
import subprocess
from textwrap import dedent, indent
from typing import Any

import pytest

from tests.integration.checking.conftest import GOOD, Check


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def broken(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """What is broken, by the case's name."""
    return {one["name"]: one for one in report_of(done)["cases"] if one["outcome"] == "broken"}


def test_a_good_service_is_told_so_and_its_prints_are_in_nobodys_way(check: Check) -> None:
    done = check(GOOD)

    assert done.returncode == 0, done.stdout
    assert "0 rejected, 0 broken" in done.stdout
    assert "comment/999 The offer is accepted" in done.stderr
    assert "comment/999" not in done.stdout


def test_each_fault_is_told_once_with_line_traceback_event_and_cases(check: Check) -> None:
    done = check(
        """
        @app.on("bitrix24.crm.timeline.comment.added")
        async def index(event: CommentEvent) -> None:
            length(event.data.comment.text_plain)

        def length(text: str) -> int:
            return len(text)
        """
    )

    assert done.returncode == 1
    assert done.stdout.count("BROKEN") == 1
    assert "BROKEN: index raised TypeError: object of type 'NoneType' has no len()" in done.stdout
    assert "at search_index.py:14, in length" in done.stdout
    assert "comment-gone-when-fetched: it is added, and was deleted" in done.stdout
    assert "comment-unavailable: it could not be fetched" in done.stdout
    assert "length(event.data.comment.text_plain)" in done.stdout  # the traceback
    assert '"type":"bitrix24.crm.timeline.comment.added"' in done.stdout  # the event
    assert done.stdout.rstrip().endswith("2 broken")


@pytest.mark.parametrize(
    ("body", "how", "cases"),
    [
        ("event.data.fields['FIELDS']", "raised", {"bare", "no-id", "odd-fields", "long-field"}),
        ("int(event.subject.split('/')[1])", "raised", {"no-id", "text-id"}),
        (
            "event.data.object.fields and event.data.object.fields['ID'] + 'x'",
            "raised",
            {"mixed-fields"},
        ),
        ("assert entry.deliveries == 1", "raised", {"redelivered"}),
        ("assert event.recovered is not True", "raised", {"recovered"}),
        ("if entry.is_replay: sys.exit(0)", "exited", {"replayed"}),
        ("if entry.is_replay: await asyncio.sleep(3600)", "hung", {"replayed"}),
        (
            "if entry.is_replay: raise Transient('away', retry_after_s=60)",
            "postponed",
            {"replayed"},
        ),
        ("if entry.is_replay: raise asyncio.CancelledError", "postponed", {"replayed"}),
        ("if entry.is_replay: time.sleep(3600)", "blocked", {"replayed"}),
    ],
)
def test_a_handler_of_deals_breaks_at_what_it_has_not_thought_of(
    check: Check, body: str, how: str, cases: set[str]
) -> None:
    source = """
        @app.on("bitrix24.crm.deal.updated")
        async def put(event: EntityEvent, entry: Entry) -> None:
        """

    done = check(dedent(source) + indent(body, "    "), "--json", "--timeout", "0.5")

    found = broken(done)
    assert done.returncode == 1
    assert {name.removeprefix("crm.deal.updated-") for name in found} >= cases
    for name in cases:
        told = found[f"crm.deal.updated-{name}"]
        assert (told["how"], told["handler"]) == (how, "put")
        assert told["place"]["file"] == "search_index.py"
        assert json.loads(told["event"])["type"] == "bitrix24.crm.deal.updated"


def test_a_loop_that_is_kept_for_longer_than_a_lease_is_broken_and_a_shorter_time_is_told(
    check: Check,
) -> None:
    source = """
        @app.on("bitrix24.crm.deal.updated")
        async def put(event: EntityEvent, entry: Entry) -> None:
            if entry.is_replay:
                time.sleep(6.5)
            if entry.deliveries > 1:
                time.sleep(1.5)
        """

    done = check(
        source, "--case", "crm.deal.updated-replayed", "--case", "crm.deal.updated-redelivered"
    )

    assert done.returncode == 1
    assert "BROKEN: put blocked the event loop: " in done.stdout
    assert "at search_index.py:12, in put" in done.stdout
    assert "SLOW: the event loop stood still for 1." in done.stdout
    assert "at search_index.py:14, in put" in done.stdout
    assert done.stdout.rstrip().endswith("2 cases: 1 handled, 0 ignored, 0 rejected, 1 broken")


@pytest.mark.parametrize(
    ("body", "how", "error"),
    [
        ("raise OSError('no index'); yield", "raised", "OSError: no index"),
        ("await asyncio.sleep(3600); yield", "hung", "not done after 0.5 s"),
        ("yield; await asyncio.sleep(3600)", "hung", "not done after 0.5 s"),
        ("time.sleep(3600); yield", "blocked", "keeps it"),
        ("yield; raise OSError('no index')", "raised", "OSError: no index"),
    ],
)
@pytest.mark.parametrize("context", ["lifespan", "partition_lifespan"])
def test_a_context_that_cannot_be_entered_or_left_is_broken(
    check: Check, context: str, body: str, how: str, error: str
) -> None:
    source = f"""
        @asynccontextmanager
        async def index(*partition):
            {body}

        app.{context} = index

        @app.on("bitrix24.crm.deal.updated")
        async def put(event: Event) -> None: ...
        """

    done = check(source, "--json", "--timeout", "0.5", "--case", "crm.deal.updated")

    assert done.returncode == 1
    name = "end" if body.startswith("yield") else "start"
    (told,) = broken(done).items()
    assert told[0] == name
    assert (told[1]["how"], told[1]["error"]) == (how, error)
    assert told[1]["place"]["function"] == "index"


def test_the_function_that_chooses_events_is_tried_as_well(check: Check) -> None:
    done = check(
        """
        app = Consumer(group="g", stream="comments", takes=lambda event: event.data.fields["STAGE"])

        @app.on("bitrix24.crm.deal.updated")
        async def put(event: Event) -> None: ...
        """,
        "--json",
    )

    told = broken(done)["crm.deal.updated"]
    assert (told["handler"], told["error"]) == ("takes", "KeyError: 'STAGE'")
    assert told["place"]["file"] == "search_index.py"


def test_handlers_of_batches_break_by_the_entry_that_breaks_them(check: Check) -> None:
    done = check(
        """
        @app.on_batch("bitrix24.*")
        async def load(entries: Sequence[Entry]) -> None:
            for entry in entries:
                int(entry.event.data.comment.author_id)
        """,
        "--json",
        "--case",
        "comment",
        "--case",
        "comment-no-entity",
    )

    (told,) = broken(done).values()
    assert (told["name"], told["handler"]) == ("comment-no-entity", "load")
    assert json.loads(told["event"])["data"]["comment"]["author_id"] is None


def test_transforms_break_by_what_they_return_too(check: Check) -> None:
    done = check(
        """
        app = Consumer(group="translator", stream="comments", output="translated", max_attempts=2)

        @app.transform("bitrix24.crm.*")
        async def translate(entries: Sequence[Entry]) -> list[Output | Exception]:
            if entries[0].is_replay:
                return []
            return [
                KeyError("text") if entry.event.recovered is True else Output((entry.raw,))
                for entry in entries
            ]
        """,
        "--json",
    )

    found = broken(done)
    assert set(found) == {
        f"{kind}-{name}"
        for kind in ("comment", "crm.lead.added")
        for name in ("replayed", "recovered")
    }
    assert found["comment-recovered"]["error"] == "KeyError: 'text'"
    assert {one["handler"] for one in found.values()} == {"translate"}


def test_what_a_handler_rejects_is_told_and_is_no_fault(check: Check) -> None:
    done = check(
        """
        @app.on("bitrix24.crm.timeline.comment.updated")
        async def index(event: CommentEvent) -> None:
            if event.data.comment.state != "present":
                raise Reject("nothing to index")
        """
    )

    assert done.returncode == 0
    assert "REJECTED: index made a dead letter of it: Reject: nothing to index" in done.stdout
    assert "1 rejected, 0 broken" in done.stdout
