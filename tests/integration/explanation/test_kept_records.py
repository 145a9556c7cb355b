"""What the audit log and the warehouse have of an event, or why that is not known."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.sandbox.portal import SANDBOX
from tests.integration.explanation.asked import told
from tests.integration.operating.installation import Installation, posted
from tests.support.eventually import eventually


async def kept(here: Installation, event_id: str, *options: str) -> Mapping[str, Any]:
    """Each outcome by its place."""
    done = await here.told("explain", event_id, *options, code=0)
    return {one["place"]: one for one in done["kept"]}


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a server that accepts, and says nothing."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_an_event_is_found_in_the_audit_log_and_in_the_warehouse(
    redis_url: str, tmp_path: Path
) -> None:
    directory = {"AUDIT_DIR": str(tmp_path / "audit")}
    here = Installation(tmp_path, redis_url, settings=directory)
    async with here.receiving() as receiver:
        event_id = await posted(receiver, SANDBOX, 1)
        before = await kept(here, event_id)
        assert {one["state"] for one in before.values()} == {"not known"}
        assert before["audit log"]["why_not"] == f"there is no {tmp_path}/audit on this machine"

        with here.consuming("audit"), here.consuming("warehouse"):
            event_id = await posted(receiver, SANDBOX, 2)

            async def are_there() -> Mapping[str, Any]:
                found = await kept(here, event_id, "--within", "30")
                return found if {one["state"] for one in found.values()} == {"there"} else {}

            found = await eventually(are_there)
        assert found["warehouse"]["table"] == "comment_events"
        assert found["audit log"]["at"] > "2026"

        said = await told(redis_url, event_id, environ=here.environment)
        assert f"audit log     recorded at {found['audit log']['at']}" in said
        assert "warehouse     a row of comment_events, loaded at " in said

        later = await posted(receiver, SANDBOX, 3)
        found = await kept(here, later, "--within", "30")
        assert {one["state"] for one in found.values()} == {"not there"}


async def test_what_does_not_answer_is_not_waited_for(redis_url: str, tmp_path: Path) -> None:
    async with silent_server() as port:
        destination = {"WAREHOUSE_DESTINATION": f"postgres://fake:fake@127.0.0.1:{port}/fake"}
        here = Installation(tmp_path, redis_url, settings=destination)
        async with here.receiving() as receiver:
            event_id = await posted(receiver, SANDBOX, 1)
            found = await kept(here, event_id, "--within", "5")

    assert found["warehouse"]["state"] == "not known"
    assert found["warehouse"]["why_not"] == "it is not reachable: no answer within 5 s"


async def test_what_is_no_id_is_refused_at_once_where_there_is_an_audit_log(
    redis_url: str, tmp_path: Path
) -> None:
    await told(redis_url, "7", exit_code=2, environ={"GATEWAY_AUDIT_DIR": str(tmp_path)})
