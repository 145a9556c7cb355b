"""Clients never get the descriptors that the spool and Redis need."""

import resource
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "room"),
    [(256, 4096, 1000, 1000), (256, 600, 1000, 472), (4096, 4096, 1000, 1000), (64, 64, 10, 1)],
)
def test_room_is_made_as_far_as_the_system_allows_it(
    soft: int, hard: int, wanted: int, room: int
) -> None:
    limit = min(hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert limit == hard
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from gateway.web.protection.descriptors import room_for\n"
        f"print(room_for({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    told = ended.stdout.split()[-2:]
    assert int(told[0]) == room
    assert int(told[1]) >= min(room + 128, hard)
