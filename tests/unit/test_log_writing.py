"""Whoever logs neither waits nor fails, whatever has become of the file."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic

import pytest
from prometheus_client import REGISTRY

from gateway import log_writing
from gateway.log_writing import LineWriter
from tests.support.eventually import eventually_blocking


class Pipe:
    """A pipe, whose reading end is read only when a test asks for it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self._read = b""

    def lines(self) -> list[str]:
        """All that has come out so far."""
        with suppress(OSError):
            while chunk := os.read(self.reading, 1 << 16):
                self._read += chunk
        return self._read.decode().splitlines()

    def close(self) -> None:
        for descriptor in (self.reading, self.writing):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    # The end that is written to stays open: a thread may be about to write there, and the number of
    # a closed one becomes somebody else's. Without a reader the thread is told, and goes on.
    with suppress(OSError):
        os.close(pipe.reading)


def writer_to(descriptor: int | None, summaries: list[str] | None = None) -> LineWriter:
    def each_second() -> list[str]:
        taken = list(summaries or [])
        if summaries is not None:
            summaries.clear()
        return taken

    return LineWriter(descriptor, told_of=lambda n: f"{n} are missing\n", each_second=each_second)


def dropped() -> float:
    return REGISTRY.get_sample_value("b24gw_log_lines_dropped_total") or 0.0


def test_lines_come_out_in_order_from_any_thread(pipe: Pipe) -> None:
    writer = writer_to(pipe.writing)

    def write(name: str) -> None:
        for number in range(50):
            writer.write(f"{name} {number}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close(5)

    lines = pipe.lines()
    for name in "ab":
        own = [line for line in lines if line.startswith(name)]
        assert own == [f"{name} {number}" for number in range(50)]


def test_a_pipe_that_nobody_reads_holds_up_nobody_and_tells_afterwards(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writing, "_MAX_LINES", 100)
    writer, before = writer_to(pipe.writing), dropped()

    began = monotonic()
    for number in range(3000):
        writer.write(f"{number} {'x' * 1000}\n")
    assert monotonic() - began < 2
    missing = int(dropped() - before)
    assert missing > 1000

    def told() -> list[int]:
        return [int(line.split()[0]) for line in pipe.lines() if line.endswith("are missing")]

    eventually_blocking(lambda: sum(told()) == missing)
    writer.close(5)
    assert len(pipe.lines()) == 3000 - missing + len(told())


def test_a_reader_that_died_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    writer, before = writer_to(pipe.writing), dropped()
    os.close(pipe.reading)

    for _ in range(10):
        writer.write("a line\n")
    writer.close(5)

    assert dropped() - before == 10


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - a device
        writer, before = writer_to(full.fileno()), dropped()
        for _ in range(10):
            writer.write("a line\n")
        writer.close(5)

    assert dropped() - before == 10


def test_no_standard_error_at_all_costs_lines_and_nothing_else() -> None:
    writer, before = writer_to(None), dropped()

    writer.write("a line\n")
    writer.close(5)

    assert dropped() - before == 1


def test_when_it_can_be_written_again_a_line_says_how_many_are_missing(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk takes half a line, then nothing, then everything again."""
    writer, is_full = writer_to(pipe.writing), False
    write = os.write

    def half(descriptor: int, content: memoryview) -> int:
        nonlocal is_full
        if is_full or descriptor != pipe.writing:
            raise OSError(28, "No space left on device")
        is_full = True
        return write(descriptor, content[:4])

    monkeypatch.setattr(os, "write", half)
    for number in range(3):
        writer.write(f"lost {number}\n")
        writer.close(5)
    monkeypatch.setattr(os, "write", write)
    writer.write("written\n")
    writer.close(5)

    lines = pipe.lines()
    assert lines == ["lost", "3 are missing", "written"]  # the torn one stands by itself


def test_a_pipe_that_is_not_to_be_waited_for_is_waited_for_by_the_thread(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    writer, before = writer_to(pipe.writing), dropped()

    for number in range(300):
        writer.write(f"{number} {'x' * 1000}\n")
    eventually_blocking(lambda: len(pipe.lines()) == 300)

    assert dropped() == before


def test_the_end_of_the_process_waits_no_longer_than_it_says(pipe: Pipe) -> None:
    writer = writer_to(pipe.writing)
    for _ in range(300):
        writer.write("x" * 1000 + "\n")

    began = monotonic()
    writer.close(0.2)

    assert 0.1 < monotonic() - began < 2


def test_a_forked_process_writes_its_own_lines_and_not_its_parents(pipe: Pipe) -> None:
    writer = writer_to(pipe.writing)
    writer.write("parent\n")
    writer.close(5)

    child = os.fork()
    if not child:
        writer.write("child\n")
        writer.close(5)
        os._exit(0)
    os.waitpid(child, 0)
    writer.write("parent again\n")
    writer.close(5)

    assert pipe.lines() == ["parent", "child", "parent again"]


def test_lines_of_nobodys_come_within_a_second_or_at_the_end(pipe: Pipe) -> None:
    summaries = ["7 more\n"]
    writer = writer_to(pipe.writing, summaries)
    writer.write("first\n")
    eventually_blocking(lambda: pipe.lines() == ["first", "7 more"])

    summaries.append("last\n")
    writer.close(5)

    assert pipe.lines()[-1] == "last"
