"""What one writes first: aiohttp, request.post(), one XADD a request."""

import json
import os
import time
import uuid

import uvloop
from aiohttp import web
from redis.asyncio import Redis

redis = Redis.from_url(os.environ["REDIS_URL"])
TOKENS = {os.environ["MEMBER_ID"]: os.environ["TOKEN"]}


async def handle(request: web.Request) -> web.Response:
    form = await request.post()
    member_id = str(form["auth[member_id]"])
    if TOKENS.get(member_id) != form["auth[application_token]"]:
        return web.Response(status=403)
    event = {
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
    await redis.xadd("bench:plain", {"event": json.dumps(event)})
    return web.Response(body=b"ok")


def application() -> web.Application:
    app = web.Application()
    app.router.add_post("/bitrix24/events", handle)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(
        application(), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None
    )
