"""What is made once for all workers of a run is made by one of them, whole."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.once import once


@pytest.fixture
def asking(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, request: pytest.FixtureRequest
) -> Callable[[Callable[[Path], object]], Path]:
    tmp_path_factory.getbasetemp()  # which two threads at once would make twice
    return lambda make: once(tmp_path_factory, worker_id, request.node.name, make)


def test_of_many_that_need_it_one_makes_it(asking: Callable[..., Path]) -> None:
    makers: list[Path] = []

    def make(directory: Path) -> None:
        makers.append(directory)
        (directory / "file").touch()

    with ThreadPoolExecutor(4) as threads:
        made = set(threads.map(lambda _: asking(make), range(4)))

    assert len(makers) == len(made) == 1
    assert [one.name for one in made.pop().iterdir()] == ["file"]


def test_what_was_not_made_whole_is_made_anew(asking: Callable[..., Path]) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        asking(fail)

    assert list(asking(lambda directory: (directory / "whole").touch()).iterdir()) != []
    assert not list(asking(fail).glob("half"))
