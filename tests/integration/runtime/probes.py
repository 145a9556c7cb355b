"""Asking a consumer within the test what its probes say."""

import asyncio
import urllib.error
import urllib.request


async def get(port: int, path: str) -> tuple[int, str]:
    def call() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(call)


async def is_answered(port: int, path: str, status: int) -> bool:
    try:
        return (await get(port, path))[0] == status
    except OSError:
        return False
