"""Judges settings that work, and are unsafe or unready all the same. Pure."""

from collections.abc import Iterator
from ipaddress import ip_address

from gateway.contract import APP_SUBJECT
from gateway.doctor.finding import Finding, note, warning
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings

__all__ = ["judge_redis_address", "judge_settings"]

_LISTENERS = ("admin", "consumers", "reconcile")


def judge_settings(settings: Settings) -> Iterator[Finding]:
    """What is worth knowing of the settings alone."""
    yield from _listeners(settings)
    yield from _door(settings)
    yield from _application(settings)
    yield from _events(settings)
    if not settings.vault.keys:
        yield warning(
            "vault",
            "[vault] keys is empty: deliveries with an unknown token are not kept, nobody knows "
            "whose a deleted comment was, and no application can be installed",
            "set a key (docs/installation.md), and keep a copy of it apart from that of Redis",
        )


def judge_redis_address(address: RedisAddress) -> Iterator[Finding]:
    """How Redis is reached: whoever is on the way can read what is not encrypted."""
    if address.path or all(_is_here(host) for host, _port in address.nodes):
        return
    if address.password is None:
        yield warning(
            "redis address",
            f"{address} is asked without a password: whoever reaches it can read and write it",
            "give it one, and a user for each process (docs/redis-rights.md)",
        )
    if address.tls is None:
        yield warning(
            "redis address",
            f"{address} is another machine, and is spoken to without TLS",
            "use rediss://, or a network that only these machines are in (docs/redis.md)",
        )
    elif address.tls.get("ssl_cert_reqs") == "none":
        yield warning(
            "redis address",
            "ssl_cert_reqs is none: every certificate is believed",
            "name the authority of the certificate in ssl_ca_certs (docs/redis.md)",
        )


def _listeners(settings: Settings) -> Iterator[Finding]:
    for name in _LISTENERS:
        host = getattr(settings, name).host
        if not _is_here(host):
            yield warning(
                "listeners",
                f"[{name}] host is {host}: whoever reaches it reads names of portals and numbers",
                "keep it on 127.0.0.1, or on an address that only the operators' network reaches",
            )


def _door(settings: Settings) -> Iterator[Finding]:
    http = settings.http
    if not _is_here(http.host) and not http.trusted_proxies:
        yield warning(
            "listeners",
            f"[http] host is {http.host} and no trusted_proxies are named: without a proxy in "
            "front, tokens come in unencrypted; with one, every client has its address",
            "put a proxy with TLS in front (deploy/nginx.conf), and name it in trusted_proxies",
        )
    if _is_here(http.host) and http.allow_mode != "off" and not http.trusted_proxies:
        yield warning(
            "allow list",
            f"[http] allow_mode is {http.allow_mode}, and every client has the address of the "
            "proxy on this machine, since trusted_proxies names none",
            "set [http] trusted_proxies, as 127.0.0.1",
        )
    if http.allow_mode == "dry_run":
        yield note(
            "allow list",
            "[http] allow_mode is dry_run: nobody is refused for his address",
            "set it to enforce when the log shows no `delivery would be refused` of a portal's",
        )


def _application(settings: Settings) -> Iterator[Finding]:
    if settings.bitrix24.listed and not settings.bitrix24.public_url:
        yield warning(
            "application",
            "[bitrix24] public_url is empty: portals that install the application deliver nothing",
            "set it to the address under which portals reach this gateway",
        )


def _events(settings: Settings) -> Iterator[Finding]:
    without_queue = [
        row.documented_name
        for row in settings.subscription.rows
        if not row.is_queued_offline and row.subject_kind != APP_SUBJECT
    ]
    if without_queue:
        yield note(
            "events",
            f"no queue of a portal has {', '.join(without_queue)}: what is missed is not found",
        )


def _is_here(host: str) -> bool:
    """Whether this is an address of this machine alone, or a name that stands for one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
