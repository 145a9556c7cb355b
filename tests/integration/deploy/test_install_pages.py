"""The pages of docs/install but for the bare machine's: their commands, as far as they run here.

What needs a daemon or a cluster is held against what is there: files, services, the chart.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.integration.deploy.files import COMPOSE, DEPLOY, ROOT, checked, on_path
from tests.integration.deploy.install_pages import PAGES, commands
from tests.integration.deploy.kubernetes.chart import CHART, Rendered, helm
from tests.reproducible_wheel import build

NOT_RUN = {"apt", "docker", "kubectl", "helm"}


def shell(text: str, directory: Path, **variables: str) -> str:
    """What a block of commands says in this directory."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", text),
        cwd=directory,
        env=os.environ | {"PATH": programs} | variables,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def words_of(block: str) -> list[list[str]]:
    """Its commands, each as its words; a line that ends with a backslash goes on."""
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]


def test_a_wheel_runs_by_the_commands_of_the_page(tmp_path: Path) -> None:
    """Those that install take packages from the environment of the tests, and none from outside."""
    _, make, newest, pinned = commands("laptop.md")
    build(tmp_path / "dist")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    here = {"PIP_NO_INDEX": "1", "PYTHONPATH": sysconfig.get_path("purelib")}

    assert make == "make wheel\n"
    said = shell(newest, tmp_path, **here, PIP_NO_DEPS="1")
    assert "gateway, version " in said
    assert "gateway up" in said
    shell(pinned, tmp_path, **here)


def test_the_first_command_of_the_page_starts_all_of_it() -> None:
    """What it starts is tried by tests/integration/local; here, that make would call that."""
    run, *_ = commands("laptop.md")

    assert run == "make run\n"
    assert "gateway up --demo\n" in checked("make", "--dry-run", "--directory", ROOT, "run")


def test_the_files_of_compose_are_made_by_the_commands_of_the_page(tmp_path: Path) -> None:
    on_path("openssl")
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns(".env"))
    make, up = commands("containers.md")
    shell(make, tmp_path)

    services = yaml.safe_load(COMPOSE.read_text())["services"]
    mounted = {str(one).split(":")[0] for one in services["receiver"]["volumes"]}
    mounted |= {str(one).split(":")[0] for one in services["redis"]["volumes"]}
    assert all((tmp_path / "deploy" / one).exists() for one in mounted if one.startswith("./"))
    assert (tmp_path / "deploy/.env").stat().st_mode & 0o777 == 0o600
    assert "fake-password-of" not in (tmp_path / "deploy/.env").read_text()
    assert "FAKE" not in (tmp_path / "deploy/users.acl").read_text()
    for docker, *words in words_of(up):
        assert (docker, words[:2]) == ("docker", ["compose", "-f"])
        assert (tmp_path / words[2]).exists()


def test_what_is_called_in_a_container_is_a_command_of_it() -> None:
    _, up = commands("containers.md")
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    called = [words[6:] for words in words_of(up) if words[4:6] == ["run", "--rm"]]

    assert called
    for service, *command in called:
        assert service in services
        checked(sys.executable, "-m", *command, "--help")


def test_the_chart_takes_what_the_page_gives_it(tmp_path: Path) -> None:
    page = (PAGES / "kubernetes.md").read_text()
    (values,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "values.yaml").write_text(values)
    (block,) = commands("kubernetes.md")
    redis, portals, install, test = words_of(block)
    assert install[:4] == ["helm", "install", "acme", str(CHART.relative_to(ROOT))]
    words = [str(ROOT / one) if one.startswith("deploy/") else one for one in install[2:]]
    words = [str(tmp_path / one) if one == "values.yaml" else one for one in words]

    done = helm("template", *(one for one in words if one != "--wait"))
    assert done.returncode == 0, done.stderr
    rendered = Rendered(done.stdout)
    assert "HTTPRoute" in {one["kind"] for one in rendered.objects}
    pods = str([spec for _, spec, _ in rendered.pods()])
    for kubectl in (redis, portals):
        name, literal = kubectl[-2:]
        key = literal.split("=")[1]
        assert f"'secretKeyRef': {{'name': '{name}', 'key': '{key}'}}" in pods
    assert test[:3] == ["helm", "test", "acme"]


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md")))
def test_the_index_says_which_commands_are_not_carried_out(page: str) -> None:
    """Every page has a test, and what it does not carry out is named."""
    used = {
        words[0]
        for block in commands(page)
        if not block.startswith(("(umask", "echo", "cp"))
        for words in words_of(block)
        if words
    }
    index = (PAGES / "README.md").read_text()

    assert page == "README.md" or f"]({page})" in index
    assert all(f"`{name}`" in index or f"`{name} " in index for name in used & NOT_RUN)
