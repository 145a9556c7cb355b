"""The contract in the judgement of other languages' own programs: TypeScript, AsyncAPI's parser."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.contract.asyncapi import asyncapi
from tests.support.node_tools import NodeTools, find_node_tools
from tests.typescript_types import digest, generated

TYPES: Final = Path(__file__).parents[2] / "docs" / "schema" / "events.d.ts"
CONSUMER: Final = Path(__file__).parents[1] / "node" / "consumer.ts"
PARSE: Final = """
const { Parser } = require("@asyncapi/parser");
const documents = JSON.parse(require("fs").readFileSync(0, "utf8"));
const parsed = documents.map((one) => new Parser().parse(JSON.stringify(one)));
Promise.all(parsed).then((all) => console.log(JSON.stringify(all.map((one) => one.diagnostics))));
"""
HINT: Final = 2


def mistakes() -> list[tuple[str, str, str]]:
    """Each of the consumer's: the comment that it stands in, the error's code, and the line."""
    return re.findall(r"(// WRONG (\S+): (.*))", CONSUMER.read_text())


@pytest.fixture(scope="module")
def node_tools() -> NodeTools:
    tools = find_node_tools()
    if tools is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no TypeScript: `make node-tools`")
    return tools


def test_the_types_were_made_of_this_schema() -> None:
    assert f"// Schema: {digest()}\n" in TYPES.read_text(), "run `make docs`"


def test_the_types_are_as_they_were_made(node_tools: NodeTools) -> None:
    assert TYPES.read_text() == generated(node_tools), "run `make docs`"


@pytest.fixture(scope="module")
def compiled(node_tools: NodeTools, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the compiler says first of the consumer, and of it with each of its mistakes, by line.

    All in one call, which costs some seconds however little it is given.
    """
    directory = tmp_path_factory.mktemp("typescript")
    shutil.copy(TYPES, directory)
    text = CONSUMER.read_text()
    programs = {"": text} | {line: text.replace(mark, line) for mark, _, line in mistakes()}
    names = {f"consumer{number}.ts": line for number, line in enumerate(programs)}
    for name, line in names.items():
        (directory / name).write_text(programs[line])
    done = node_tools.run(
        node_tools.directory / "node_modules" / "typescript" / "bin" / "tsc",
        *("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"),
        *("--skipDefaultLibCheck", "--pretty", "false", *names),
        directory=directory,
    )
    assert done.returncode == 2, done.stderr
    faults = [line for line in reversed(done.stdout.splitlines()) if ": error " in line]
    return {names[fault.partition("(")[0]]: fault for fault in faults}


def test_a_consumer_narrows_by_the_type(compiled: dict[str, str]) -> None:
    assert "" not in compiled


def test_each_mistake_does_not_compile(compiled: dict[str, str]) -> None:
    for _, code, line in mistakes():
        assert f"error {code}:" in compiled[line]


def diagnostics(tools: NodeTools, *documents: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What the parser has against each of the documents; hints are nothing against one."""
    done = tools.run("-e", PARSE, text=json.dumps(documents))
    assert not done.returncode, done.stderr
    return [[one for one in found if one["severity"] < HINT] for found in json.loads(done.stdout)]


def test_the_parser_of_asyncapi_finds_the_faults_that_there_are(node_tools: NodeTools) -> None:
    wrong = asyncapi()
    wrong["operations"]["readEvents"]["channel"] = {"$ref": "#/channels/elsewhere"}

    of_ours, of_wrong = diagnostics(node_tools, asyncapi(), wrong)

    assert of_ours == []
    assert of_wrong
