"""What needs a server runs on the one that is here, and by `make test-faults` on all of them."""

import pytest

from tests.support.server_matrix import HERE, SERVERS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_binary" in metafunc.fixturenames:
        cells = [pytest.param(name, marks=pytest.mark.matrix) for name in SERVERS]
        cells.append(pytest.param(HERE))
        metafunc.parametrize("server_binary", cells, indirect=True, scope="session")


@pytest.fixture(autouse=True)
def in_the_table(request: pytest.FixtureRequest) -> None:
    """Give a test of the matrix its row in the table."""
    if request.node.get_closest_marker("matrix"):
        values = request.node.callspec.params
        scenario = request.node.originalname.removeprefix("test_").replace("_", " ")
        variants = [str(value) for key, value in values.items() if key != "server_binary"]
        request.node.user_properties += [
            ("scenario", ", ".join([scenario, *variants])),
            ("server", values["server_binary"]),
        ]
