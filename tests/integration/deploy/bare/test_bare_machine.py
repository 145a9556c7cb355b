"""docs/install/bare-machine.md, carried out on a fresh Debian: `make test-install`.

Each process there is started by its unit. Packages come from the wheels of requirements/, and
nothing from the network. The machine is shared, and the tests go on from one another.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.deploy.bare.debian_base import PACKAGES, wheels
from tests.integration.deploy.bare.machine import DebianMachine, debian_machine
from tests.integration.deploy.bare.written import everything
from tests.integration.deploy.files import ROOT
from tests.integration.deploy.install_pages import commands
from tests.reproducible_wheel import build
from tests.support.eventually import eventually_blocking

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]

PAGE = "bare-machine.md"
INSTALL = "/source/deploy/install.sh"
NOTHING = "Nothing to do: it is as it should be.\n"
CONSUMERS = ("audit", "enricher", "feed", "notifier", "relay", "warehouse")
UNITS = [
    f"{name}.service"
    for name in ("gateway", "gateway-reconcile", *(f"consumers@{one}" for one in CONSUMERS))
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianMachine]:
    """One with the source, as an operator has it, and a wheel of it in dist."""
    wheel = build(tmp_path_factory.mktemp("dist"))
    with debian_machine() as fresh:
        shutil.copytree(wheels(), fresh.root / "wheels")
        source = fresh.root / "source"
        for name in ("deploy", "requirements"):
            shutil.copytree(ROOT / name, source / name)
        (source / "dist").mkdir()
        shutil.copy(wheel, source / "dist")
        yield fresh


@pytest.fixture(scope="module")
def installed(machine: DebianMachine) -> DebianMachine:
    packages, make, install = commands(PAGE, "Install")
    assert packages.split() == ["apt", "install", *(one for one in PACKAGES if one != "systemd")]
    assert make == "make wheel\n"
    machine.shell(install)
    return machine


@pytest.fixture(scope="module")
def running(installed: DebianMachine) -> DebianMachine:
    """All of it runs. What systemctl passes over there, the start itself, the test does."""
    start, _ = commands(PAGE, "Start")
    said = installed.shell(start)
    installed.start("gateway-redis.service")
    installed.start(*UNITS)
    assert "these settings work" in said
    return installed


def hide(machine: DebianMachine, path: str) -> str:
    """What install.sh says where this is missing."""
    (machine.root / path).rename(machine.root / "hidden")
    try:
        return machine.called(INSTALL, code=2)
    finally:
        (machine.root / "hidden").rename(machine.root / path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("usr/bin/python3", "there is no python3: apt install python3 python3-venv"),
        ("usr/lib/python3.11/ensurepip", "python3 lacks its module venv: apt install python3-venv"),
        ("usr/bin/redis-server", "there is no redis-server: apt install redis-server, or "),
        ("usr/bin/systemd-sysusers", "there is no systemd here"),
        ("source/dist", "there is no wheel in dist: name one, or make one with `make wheel`"),
    ],
)
def test_what_is_missing_is_said_in_one_line(machine: DebianMachine, path: str, said: str) -> None:
    before = everything(machine.root)

    assert hide(machine, path).startswith(f"install.sh: {said}")
    assert everything(machine.root) == before


def test_nobody_but_root_may_install(machine: DebianMachine) -> None:
    said = machine.called("setpriv", "--reuid=1", INSTALL, code=2)

    assert said.startswith("install.sh: only root may do this")


def test_a_dry_run_changes_nothing(machine: DebianMachine) -> None:
    before = everything(machine.root)

    assert "would write /etc/gateway/gateway.toml\n" in machine.called(INSTALL, "--dry-run")
    assert everything(machine.root) == before


def test_a_second_run_changes_nothing(installed: DebianMachine) -> None:
    before = everything(installed.root)

    assert installed.called(INSTALL) == NOTHING
    assert installed.called("/opt/gateway/deploy/install.sh") == NOTHING
    assert everything(installed.root) == before


def test_a_secret_is_readable_by_root_alone_and_each_is_another(installed: DebianMachine) -> None:
    credentials = installed.root / "etc/gateway/credentials"
    files = [path for path in credentials.rglob("*") if path.is_file()]
    passwords = [path.read_text() for path in files if path.name == "redis-url"]
    acl = (installed.root / "etc/gateway/redis/users.acl").read_text()

    assert {(path.stat().st_mode & 0o777, path.stat().st_uid) for path in files} == {(0o600, 0)}
    assert len(set(passwords)) == len(passwords) > 10
    assert [path for path in files if path.name == "audit-key"] == [credentials / "audit/audit-key"]
    assert not any(re.split("[:@]", text)[2] in acl for text in passwords)
    assert "REPLACE" not in acl


def test_systemd_can_read_the_units_as_they_are_installed(installed: DebianMachine) -> None:
    units = ("gateway.socket", "gateway-redis.service", *UNITS)

    assert installed.called("systemd-analyze", "verify", *units) == ""


def is_well(machine: DebianMachine) -> bool:
    """Whether it says so; a process that was just started is heard of some seconds later."""
    return machine.called("gateway-ctl", "status", code=None).startswith("all is well")


def test_an_event_goes_through_everything_and_operators_see_it(running: DebianMachine) -> None:
    _, look = commands(PAGE, "Start")
    portal, secret = commands(PAGE, "The first portal")
    (ask,) = commands(PAGE, "Operators")[:1]
    answered = running.shell(portal)
    (event_id,) = re.findall(r"([0-9a-f-]{36}) stored in the stream", answered)

    def kept() -> dict[str, Any]:
        command = ("gateway-ctl", "explain", event_id, "--within", "20", "--json")
        way: dict[str, Any] = json.loads(running.called(*command))
        return {one["place"]: one["state"] for one in way["kept"]}

    def is_everywhere() -> bool:
        return kept() == {"audit log": "there", "warehouse": "there"}

    assert eventually_blocking(is_everywhere, timeout_s=60)
    assert eventually_blocking(lambda: is_well(running))
    assert "\n0 red, " in running.shell(look)
    assert ".: whole" in running.shell(ask)
    assert "sales" in running.shell(secret)


def test_nothing_that_would_have_to_be_rotated_is_written(running: DebianMachine) -> None:
    """Logs are the journal's: a process prints them, and keeps no file of them."""
    kept = [path for path in (running.root / "var").rglob("*") if path.suffix == ".log"]

    assert '"event": "listening"' in running.log("gateway.service")
    assert "Ready to accept connections" in running.log("gateway-redis.service")
    assert not [path for path in kept if "gateway" in str(path.relative_to(running.root))]


def test_an_upgrade_keeps_everything_and_can_be_taken_back(
    running: DebianMachine, tmp_path: Path
) -> None:
    upgrade, back = commands(PAGE, "Upgrade, and back")
    link, source = running.root / "opt/gateway", running.root / "source"
    former, settings = link.readlink(), everything(running.root / "etc/gateway")
    (old,) = (source / "dist").iterdir()
    old.unlink()
    shutil.copy(build(tmp_path / "dist", root=_of_version("9.9.9", tmp_path)), source / "dist")
    with (source / "deploy/systemd/gateway.service").open("a") as file:
        file.write("# of the next release\n")
    unit = running.root / "usr/local/lib/systemd/system/gateway.service"

    running.shell(upgrade)
    assert link.readlink().name.startswith("9.9.9-")
    assert running.called("gateway-ctl", "--version") == "gateway, version 9.9.9\n"
    assert "of the next release" in unit.read_text()
    running.stop("consumers@audit.service", "gateway.service")
    running.start("consumers@audit.service", "gateway.service")
    assert eventually_blocking(lambda: is_well(running))
    running.shell(back)
    assert link.readlink() == former
    assert "of the next release" not in unit.read_text()
    assert everything(running.root / "etc/gateway") == settings


def _of_version(version: str, directory: Path) -> Path:
    """A source of this version."""
    root = directory / "source"
    for name in ("gateway", "consumers"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    for name in ("pyproject.toml", "gateway/__init__.py"):
        text = (root / name).read_text()
        (root / name).write_text(re.sub(r'(?m)^(_*version_* = )".*"$', rf'\1"{version}"', text))
    return root


def test_uninstalled_it_leaves_what_is_the_operators(running: DebianMachine) -> None:
    running.stop(*UNITS, "gateway-redis.service")
    before = {
        name: found
        for name, found in everything(running.root).items()
        if name.startswith(("etc/gateway", "var/lib/gateway"))
    }
    (uninstall,) = commands(PAGE, "Uninstall")
    running.shell(uninstall)
    after = everything(running.root)

    assert before.items() <= after.items()
    assert not [one for one in after if one.startswith(("opt/gateway", "usr/local/sbin/gateway"))]
    assert not [one for one in after if one.startswith("usr/local/lib/systemd/system/")]
