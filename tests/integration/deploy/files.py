"""The files of deploy/, and what an operator makes of them by the first lines of each."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from gateway.settings import Settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
CONTAINERFILE = DEPLOY / "Containerfile"
COMPOSE = DEPLOY / "compose.yaml"
EXAMPLE_SETTINGS = DEPLOY / "gateway.example.toml"
REDIS_CONF = DEPLOY / "redis.conf"

_INTERPOLATION = re.compile(r"\$\{(\w+):\?[^}]*\}")


def checked(*command: str | Path) -> str:
    """What a tool says; fails the test with it unless the tool ends with 0."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def installed(name: str) -> str:
    """A tool of the extra `dev`."""
    return str(Path(sys.executable).with_name(name))


def on_path(name: str) -> str:
    """A tool of the machine; skips the test where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed on this machine")
    return found


def example_env(file: Path = DEPLOY / ".env.example") -> dict[str, str]:
    """deploy/.env.example, or what was made of it, as variables."""
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def services(env: dict[str, str] | None = None) -> dict[str, Any]:
    """The services of compose.yaml, with these values put in, or those of .env.example."""
    env = env or example_env()
    text = _INTERPOLATION.sub(lambda match: env[match[1]], COMPOSE.read_text())
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def kept_paths(settings: Settings, *, working_directory: Path) -> list[Path]:
    """Where processes with these settings write: every `dir`, and DuckDB's file."""
    sections = msgspec.structs.asdict(settings).values()
    directories = [
        getattr(section, key)
        for section in sections
        if isinstance(section, msgspec.Struct)
        for key in section.__struct_fields__
        if key.rpartition("_")[2] == "dir"
    ]
    database = settings.warehouse.destination.removeprefix("duckdb:///")
    return [working_directory / path for path in (*directories, database)]


def image_env() -> dict[str, str]:
    """The settings that the image brings with it."""
    return dict(re.findall(r"(GATEWAY_\w+)=(\S+)", CONTAINERFILE.read_text()))
