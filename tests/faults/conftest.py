"""Each fault asks for `stage`.

`make test` runs those that are marked `short`, briefly, on the server that is there;
`make test-faults` (`-m matrix`) runs all of them in full on every server.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import to_builtins

from tests.support.server_matrix import HERE, SERVERS, NotHere, server_named
from tests.support.stage import Stage


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stage" not in metafunc.fixturenames:
        return
    long = (pytest.mark.matrix, pytest.mark.timeout(300))
    cells = [pytest.param(name, marks=long) for name in SERVERS]
    if metafunc.definition.get_closest_marker("short"):
        cells.append(pytest.param(HERE))
    metafunc.parametrize("server_name", cells, scope="function")


@pytest.fixture
async def stage(
    server_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Stage]:
    scenario = request.node.originalname.removeprefix("test_").replace("_", " ")
    variants = [
        value for key, value in request.node.callspec.params.items() if key != "server_name"
    ]
    scenario = ", ".join([scenario, *map(str, variants)])
    request.node.user_properties += [("scenario", scenario), ("server", server_name)]
    try:
        binary = server_named(server_name)
    except NotHere as reason:
        pytest.skip(f"not available here: {reason}")
    stage = Stage(binary, tmp_path, is_long=server_name != HERE)
    try:
        yield stage
    finally:
        stage.close()
    if stage.remark:
        request.node.user_properties.append(("remark", stage.remark))
    if stage.account is not None:
        request.node.user_properties.append(("account", to_builtins(stage.account)))
