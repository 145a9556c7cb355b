"""Each test asks for `deployment`, and says by `on` which topologies it is for.

`make test-topologies` (`-m matrix`) runs them on every server. Those marked `short` belong to
`make test` instead, on the server that is there, or on the one that has TLS.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import to_builtins

from gateway.contract import Streams
from tests.support.server_matrix import HERE, SERVERS, NotHere, server_named
from tests.support.stage import Stage
from tests.topologies.deployments import TOPOLOGIES, Deployment, deployed, has_tls

_PARTITIONS = 4
_WITH_TLS = "Redis 7.0"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "topology" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("on")
    topologies = marker.args if marker else TOPOLOGIES
    if metafunc.definition.get_closest_marker("short"):
        cells = [
            pytest.param(one, _WITH_TLS if has_tls(one) else HERE, id=one) for one in topologies
        ]
    else:
        long = (pytest.mark.matrix, pytest.mark.timeout(300))
        cells = [pytest.param(one, server, marks=long) for one in topologies for server in SERVERS]
    metafunc.parametrize(("topology", "server_name"), cells)


@pytest.fixture
async def stage(
    topology: str, server_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Stage]:
    what = request.node.originalname.removeprefix("test_").replace("_", " ")
    variants = [
        str(value)
        for key, value in request.node.callspec.params.items()
        if key not in {"topology", "server_name"}
    ]
    request.node.user_properties += [
        ("table", "topologies"),
        ("scenario", ", ".join([f"{topology}: {what}", *variants])),
        ("server", server_name),
    ]
    try:
        binary = server_named(server_name)
    except NotHere as reason:
        pytest.skip(f"not here: {reason}")
    stage = Stage(binary, tmp_path, is_long=True, streams=Streams(partitions=_PARTITIONS))
    try:
        yield stage
    finally:
        stage.close()
    if stage.remark:
        request.node.user_properties.append(("remark", stage.remark))
    if stage.account is not None:
        request.node.user_properties.append(("account", to_builtins(stage.account)))


@pytest.fixture
async def deployment(topology: str, stage: Stage) -> AsyncIterator[Deployment]:
    try:
        async with deployed(topology, stage.binary, stage.directory) as one:
            yield one
    except NotHere as reason:
        pytest.skip(f"not here: {reason}")
