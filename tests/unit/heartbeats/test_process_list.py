from gateway.heartbeats.process_list import ListedProcess, without_followed
from gateway.heartbeats.process_report import ProcessReport, encoded, reports_in

NOW_MS = 1_000_000


def process(
    name: str, *, heard_s: float, started_s: float, group: str | None = "index"
) -> ListedProcess:
    """A consumer that was heard and that started so many seconds ago."""
    return ListedProcess(
        id=name,
        heard_s=heard_s,
        report=ProcessReport(
            role="consumer",
            host="a-host",
            pid=1,
            version="1",
            is_ready=True,
            group=group,
            at=round(NOW_MS - heard_s * 1000),
            started_at=round(NOW_MS - started_s * 1000),
        ),
    )


def names(*found: ListedProcess) -> list[str]:
    return [one.id for one in without_followed(list(found))]


def test_a_silent_process_is_left_out_once_another_one_has_begun_after_it_was_heard() -> None:
    dead = process("dead", heard_s=60, started_s=600)

    assert names(dead, process("next", heard_s=1, started_s=50)) == ["next"]


def test_a_process_that_was_there_already_takes_nobodys_place() -> None:
    dead = process("dead", heard_s=60, started_s=600)

    assert names(dead, process("other", heard_s=1, started_s=61)) == ["dead", "other"]
    assert names(dead, process("next", heard_s=1, started_s=50, group="audit")) == ["dead", "next"]
    assert names(dead, process("dead, too", heard_s=40, started_s=50)) == ["dead", "dead, too"]


def test_what_another_version_wrote_and_nobody_can_read_is_left_out() -> None:
    whole = ProcessReport.of_this_process("receiver", why_not="x" * 1000, admin="127.0.0.1:1")
    values = {b"a": encoded(whole), b"b": b"{", b"c": b'{"role": 1}', b"\xff": encoded(whole)}

    ((name, report),) = reports_in(values)

    assert name == "a"
    assert (report.is_ready, len(report.why_not or "")) == (False, 500)


def test_fields_of_later_versions_are_passed_over() -> None:
    more = encoded(ProcessReport.of_this_process("receiver", why_not=None))[:-1] + b',"later":1}'

    assert [report.is_ready for _, report in reports_in({b"a": more})] == [True]
