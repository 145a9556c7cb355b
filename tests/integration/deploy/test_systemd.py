import re
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml

from gateway.local.process_plan import listening_ports
from gateway.settings import load
from tests.integration.deploy.files import (
    DEPLOY,
    EXAMPLE_SETTINGS,
    checked,
    installed,
    kept_paths,
    on_path,
)

SOCKET = DEPLOY / "systemd" / "gateway.socket"
UNITS = {
    "gateway.service": "gateway.service",
    "gateway-reconcile.service": "gateway-reconcile.service",
    "gateway-redis.service": "gateway-redis.service",
    "consumers@.service": "consumers@audit.service",
}


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it would be installed, with its program where this project is installed here."""
    text = (DEPLOY / "systemd" / request.param).read_text()
    path = tmp_path / UNITS[request.param]
    text = text.replace("/opt/gateway/bin", str(Path(installed("gateway")).parent))
    path.write_text(text.replace("/usr/bin/redis-server", sys.executable))  # any program
    return path


def test_systemd_can_read_the_unit(unit: Path) -> None:
    said = checked(on_path("systemd-analyze"), "verify", unit)

    assert unit.name not in said


def test_the_unit_is_confined(unit: Path) -> None:
    """Exposure of at most 1.4 of 10, as systemd itself reckons it; an ordinary unit has 9.6."""
    checked(on_path("systemd-analyze"), "security", "--offline=yes", "--threshold=14", unit)


def value_of(text: str, key: str) -> str:
    (value,) = re.findall(rf"^{key}=(\S+)$", text, re.MULTILINE)
    return str(value)


@pytest.fixture
def of_processes() -> dict[str, str]:
    """The text of each process's unit, with its drop-ins behind it."""
    text = (DEPLOY / "systemd" / "consumers@.service").read_text()
    units = {
        "receiver": (DEPLOY / "systemd" / "gateway.service").read_text(),
        "reconcile": (DEPLOY / "systemd" / "gateway-reconcile.service").read_text(),
    }
    for folder in sorted((DEPLOY / "systemd").glob("consumers@*.service.d")):
        name = folder.name.removeprefix("consumers@").removesuffix(".service.d")
        drop_ins = "".join(path.read_text() for path in sorted(folder.glob("*.conf")))
        units[name] = (text + drop_ins).replace("%i", name)
    return units


def test_each_process_has_a_user_a_directory_and_secrets_of_its_own(
    of_processes: dict[str, str],
) -> None:
    for key in ("User", "StateDirectory", "LoadCredential"):
        values = [value_of(text, key) for text in of_processes.values()]
        assert len(set(values)) == len(values) == 8
    for name, text in of_processes.items():
        assert value_of(text, "User") == f"gateway-{name}"
        assert value_of(text, "LoadCredential") == f"gateway:/etc/gateway/credentials/{name}"
        assert "GATEWAY_REDIS_URL=credential:gateway_redis-url " in text


def test_every_user_is_made(of_processes: dict[str, str], tmp_path: Path) -> None:
    """By systemd itself, in a directory instead of on this machine. Redis is not of the group."""
    (tmp_path / "etc").mkdir()
    sysusers = on_path("systemd-sysusers")
    checked(sysusers, f"--root={tmp_path}", (DEPLOY / "sysusers.conf").absolute())
    rows = [line.split(":") for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    groups = dict(
        line.split(":x:", 1) for line in (tmp_path / "etc" / "group").read_text().splitlines()
    )
    of_redis = [row for row in rows if row[0] == "gateway-redis"]
    ours = [row for row in rows if row not in of_redis]

    assert [row[5] for row in of_redis] == ["/var/lib/gateway/redis"]
    assert {row[0]: row[5] for row in ours} == {
        value_of(text, "User"): f"/var/lib/{value_of(text, 'StateDirectory')}"
        for text in of_processes.values()
    }
    assert {f"{row[3]}:" for row in ours} == {groups["gateway"]}
    assert f"{of_redis[0][3]}:" == groups["gateway-redis"] != groups["gateway"]
    assert {value_of(text, "Group") for text in of_processes.values()} == {"gateway"}


def test_what_a_process_keeps_is_in_the_only_directory_it_may_write(
    of_processes: dict[str, str],
) -> None:
    settings = load(str(EXAMPLE_SETTINGS), {})
    of_owners = {
        "receiver": [settings.spool.dir],
        "audit": [settings.audit.dir],
        "warehouse": [
            settings.warehouse.work_dir,
            settings.warehouse.destination.removeprefix("duckdb:///"),
        ],
    }
    kept = kept_paths(settings, working_directory=Path("/"))

    assert sorted(str(path) for path in kept) == sorted(chain(*of_owners.values()))
    for name, paths in of_owners.items():
        state = Path("/var/lib") / value_of(of_processes[name], "StateDirectory")
        assert all(Path(path).is_relative_to(state) for path in paths)
    for text in of_processes.values():
        directory = f"/var/lib/{value_of(text, 'StateDirectory')}"
        assert value_of(text, "WorkingDirectory") == directory


def test_the_bounds_of_memory_are_those_of_the_chart(of_processes: dict[str, str]) -> None:
    chart = DEPLOY / "helm" / "bitrix24-event-gateway" / "values.yaml"
    values = yaml.safe_load(chart.read_text())
    parts = {name: values[name] for name in ("receiver", "reconcile")} | values["consumers"]
    most = {"limits": {"memory": "256Mi"}}  # what the chart gives where nothing is said

    assert {
        name: re.findall(r"^MemoryMax=(\S+)$", text, re.MULTILINE)[-1] + "i"
        for name, text in of_processes.items()
    } == {name: part.get("resources", most)["limits"]["memory"] for name, part in parts.items()}


def test_the_unit_is_given_longer_to_stop_than_it_takes(unit: Path) -> None:
    given = re.search(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)
    settings = load(str(EXAMPLE_SETTINGS), {})

    assert given
    graces_s = (settings.http.grace_s, settings.reconcile.grace_s)
    is_consumer = unit.name.startswith("consumers")
    assert int(given[1]) > (2 * settings.consumers.grace_s if is_consumer else max(graces_s) + 5)


def test_no_process_leaves_a_dump_of_its_memory(unit: Path) -> None:
    """Tokens are in it."""
    assert re.search(r"^LimitCORE=0$", unit.read_text(), re.MULTILINE)


def test_each_process_listens_where_prometheus_looks_and_where_gateway_up_has_it() -> None:
    """One port for each process of a machine, in the units, in `gateway up` and in the example."""
    endpoint = '[{"name": "crm", "url": "https://crm.example/", "secrets": ["env:NOBODY_ASKS"]}]'
    token = f'[{{"name": "crm", "digests": ["{"0" * 64}"]}}]'
    settings = load(None, {"GATEWAY_RELAY_ENDPOINTS": endpoint, "GATEWAY_FEED_TOKENS": token})
    ports = listening_ports(settings, lambda _host, _port: False)
    of_units = {
        path.parent.name.removeprefix("consumers@").removesuffix(".service.d"): path.read_text()
        for path in (DEPLOY / "systemd").glob("consumers@*.service.d/port.conf")
    }
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    scraped = [
        target
        for job in config["scrape_configs"]
        for targets in job["static_configs"]
        for target in targets["targets"]
    ]

    assert {name: f"GATEWAY_CONSUMERS_PORT={ports[name]}" for name in of_units} == {
        name: text.strip().rpartition("Environment=")[2] for name, text in of_units.items()
    }
    assert sorted(of_units) == sorted(ports.keys() - {"reconcile"})
    assert (
        f"GATEWAY_RECONCILE_PORT={ports['reconcile']} "
        in (DEPLOY / "systemd" / "gateway-reconcile.service").read_text()
    )
    assert sorted(scraped) == sorted(
        f"127.0.0.1:{port}" for port in (settings.admin.port, *ports.values())
    )


def test_the_socket_is_where_the_receiver_would_listen_itself() -> None:
    http = load(str(EXAMPLE_SETTINGS), {}).http
    listens = re.search(r"^ListenStream=(\S+)$", SOCKET.read_text(), re.MULTILINE)

    assert listens
    assert listens[1] == f"{http.host}:{http.port}"


def test_systemd_can_read_the_socket(tmp_path: Path) -> None:
    """With the service that it starts, which stands beside it."""
    service = (DEPLOY / "systemd" / "gateway.service").read_text()
    programs = str(Path(installed("gateway")).parent)
    (tmp_path / "gateway.service").write_text(service.replace("/opt/gateway/bin", programs))
    (tmp_path / SOCKET.name).write_text(SOCKET.read_text())

    said = checked(on_path("systemd-analyze"), "verify", tmp_path / SOCKET.name)
    assert SOCKET.name not in said
