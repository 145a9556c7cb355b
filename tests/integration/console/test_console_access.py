"""Who is let into the console of a real receiver, and from where something may be changed."""

import sys
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from tests.support.console_stage import (
    DEAD,
    OPERATOR,
    SAME_ORIGIN,
    VIEWER,
    ConsoleClient,
    as_operator,
    open_console,
)
from tests.support.eventually import eventually
from tests.support.program import surroundings
from tests.support.starting import finished

RETRY = {"group": "index", "all": "1", "confirmed": "1"}
WITHOUT = {"CONSOLE_TOKEN": "", "CONSOLE_OPERATOR_TOKEN": ""}


def anonymous(client: ConsoleClient) -> ConsoleClient:
    return ConsoleClient(client.receiver, client.session, "")


async def test_without_a_token_there_is_the_form_and_nothing_else(client: ConsoleClient) -> None:
    nobody = anonymous(client)

    for place in ("", "now", "letters", "stuck", "groups", "doctor", "nonsense"):
        status, html = await nobody.get(place)
        assert (status, 'name="token"' in html, "acme" in html) == (401, True, False)
    assert await nobody.get("api/letters") == (401, '{"error":"a token is needed"}')
    assert (await nobody.post("act/retry", RETRY, **SAME_ORIGIN))[0] == 401


async def test_a_wrong_token_of_a_program_is_logged(client: ConsoleClient) -> None:
    wrong = ConsoleClient(client.receiver, client.session, "fake-token-of-nobody")

    assert await wrong.get("api/now") == (401, '{"error":"a token is needed"}')

    await eventually(lambda: client.receiver.lines("a wrong token at the console"))
    assert "fake-token-of-nobody" not in client.receiver.log


async def test_without_any_token_set_this_machine_may_look_and_change_nothing(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with open_console(tmp_path, redis_url, WITHOUT) as client:
        assert (await client.get(""))[0] == 200
        assert (await client.get("", X_Forwarded_For="192.0.2.7"))[0] == 403

        status, html = await client.post("act/retry", RETRY, **SAME_ORIGIN)
        assert (status, "only an operator" in html) == (403, True)


async def test_every_answer_keeps_other_sites_out(client: ConsoleClient) -> None:
    for place in ("", "api/now", "static/console.css", "static/console.js", "nonsense", "login"):
        async with client.session.get(client.url + place) as answer:
            headers = answer.headers
        assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


async def test_another_site_reads_nothing_and_another_name_neither(client: ConsoleClient) -> None:
    asked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}

    assert (await client.get("api/now", **asked))[0] == 403
    assert (await client.get("", Host="evil.example:8081"))[0] == 421
    async with client.session.options(client.url, headers=asked) as answer:
        assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (403, False)


async def test_only_an_operator_changes_something_and_only_from_the_console_itself(
    client: ConsoleClient, redis: Redis
) -> None:
    operator = as_operator(client)

    assert (await client.post("act/retry", RETRY, **SAME_ORIGIN))[0] == 403
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert (await operator.post("act/retry", RETRY, **headers))[0] == 403
        assert (await operator.post("api/retry", RETRY, **headers))[0] == 403
    assert (await operator.get("act/retry?group=index&all=1&confirmed=1"))[0] == 404
    assert await redis.xlen(DEAD) == 2

    assert (await operator.post("act/retry", RETRY, **SAME_ORIGIN))[0] == 200
    assert await redis.xlen(DEAD) == 0


async def test_a_browser_logs_in_and_out_by_a_cookie_that_no_script_sees(
    client: ConsoleClient, redis: Redis
) -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # of an address
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        browser = ConsoleClient(client.receiver, session, "")
        wrong = {"token": "wrong", "name": "Ann"}
        assert (await browser.post("login", wrong, **SAME_ORIGIN))[0] == 401
        right = {"token": OPERATOR, "name": "Ann"}
        assert (await browser.post("login", right, Sec_Fetch_Site="cross-site"))[0] == 403
        assert (await browser.get(""))[0] == 401

        async with session.post(
            browser.url + "login", data=right, headers=SAME_ORIGIN, allow_redirects=False
        ) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert (answer.status, answer.headers["Location"]) == (303, "/console/")
        for attribute in ("HttpOnly", "SameSite=Strict", "Path=/console/", "Max-Age=28800"):
            assert attribute in cookie
        assert OPERATOR not in cookie
        assert "Secure" not in cookie  # of a page that came without TLS

        status, html = await browser.get("")
        assert (status, "Ann · operator" in html) == (200, True)
        # With a cookie alone, the browser has to say where a form comes from.
        assert (await browser.post("act/retry", RETRY))[0] == 403
        assert await redis.xlen(DEAD) == 2

        assert (await browser.post("logout", {}, **SAME_ORIGIN))[0] == 303
        assert (await browser.get(""))[0] == 401


async def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(
    redis_url: str, tmp_path: Path
) -> None:
    name = "console.example"
    async with open_console(tmp_path, redis_url, {"ADMIN_HOSTS": name}) as client:
        headers = {"Origin": f"https://{name}", "Host": name}
        async with client.session.post(
            client.url + "login", data={"token": VIEWER}, headers=headers, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            assert "Secure" in answer.headers["Set-Cookie"]


async def test_who_a_trusted_proxy_names_is_let_in(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    proxy = {
        "CONSOLE_TOKEN": "",
        "CONSOLE_OPERATOR_TOKEN": "",
        "CONSOLE_USER_HEADER": "X-Forwarded-User",
        "CONSOLE_TRUSTED_PROXIES": "127.0.0.1",
        "CONSOLE_OPERATORS": "ann",
    }
    async with open_console(tmp_path, redis_url, proxy) as client:
        assert (await client.get(""))[0] == 403
        assert "bob · viewer" in (await client.get("", X_Forwarded_User="bob"))[1]
        assert "ann · operator" in (await client.get("", X_Forwarded_User="ann"))[1]
        headers = {"X-Forwarded-User": "ann", **SAME_ORIGIN}
        assert (await client.post("act/retry", RETRY, **headers))[0] == 200
        del headers["Sec-Fetch-Site"]
        assert (await client.post("act/retry", RETRY, **headers))[0] == 403


async def test_no_token_is_in_the_log_or_on_a_page(client: ConsoleClient) -> None:
    await as_operator(client).post("login", {"token": VIEWER, "name": "Ann"}, **SAME_ORIGIN)
    _, html = await client.get("")

    for secret in (VIEWER, OPERATOR):
        assert secret not in client.receiver.log
        assert secret not in html


async def test_a_receiver_does_not_start_with_tokens_that_protect_nothing(
    redis_url: str, tmp_path: Path
) -> None:
    done = await finished(
        (sys.executable, "-m", "gateway", "serve"),
        directory=tmp_path,
        environment=surroundings()
        | {"GATEWAY_REDIS_URL": redis_url, "GATEWAY_CONSOLE_TOKEN": "fake-short"},
    )

    assert done.returncode == 2
    assert done.stderr == "gateway: [console] token must have 16 characters or more\n"
