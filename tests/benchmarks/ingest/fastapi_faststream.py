"""FastAPI with FastStream publishing to a Redis stream, as their documentation joins them."""

import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from faststream.redis import RedisBroker

broker = RedisBroker(os.environ["REDIS_URL"])
TOKENS = {os.environ["MEMBER_ID"]: os.environ["TOKEN"]}


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await broker.connect()
    yield
    await broker.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/bitrix24/events")
async def handle(request: Request) -> Response:
    form = await request.form()
    member_id = str(form["auth[member_id]"])
    if TOKENS.get(member_id) != form["auth[application_token]"]:
        return Response(status_code=403)
    event: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "source": f"urn:bitrix24:{member_id}",
        "type": form["event"],
        "time": int(str(form["ts"])),
        "receivedat": time.time(),
        "data": {
            "comment_id": int(str(form["data[FIELDS][ID]"])),
            "member_id": member_id,
            "domain": form["auth[domain]"],
        },
    }
    await broker.publish(event, stream="bench:faststream")
    return Response(content=b"ok")


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
    )
