"""Renders the page as HTML, with the headers that say who may show it and what may run in it.

Nothing secret is in it: neither a token nor what the portal posted. The one script from elsewhere
is Bitrix24's own, by which a page tells the portal that the installation is complete:
https://apidocs.bitrix24.com/sdk/bx24-js-sdk/index.html
"""

from html import escape
from importlib.resources import files
from string import Template
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.installation.page.outcome import InstallConnected, InstallOutcome, InstallRefused
from gateway.installation.page.texts import Language, Texts, texts_in

__all__ = ["BX24_SCRIPT", "BrowserPage", "page_of"]

BX24_SCRIPT: Final = "https://api.bitrix24.com/api/v1/"

_HERE: Final = files("gateway.installation.page")
_TEMPLATE: Final = Template(_HERE.joinpath("page.html").read_text("utf-8"))
_FINISH: Final = _HERE.joinpath("finish.js").read_text("utf-8")

_Kind: TypeAlias = Literal["good", "warn", "calm"]
_MARKS: Final[dict[_Kind, str]] = {
    "good": "M6.5 11.5l3 3 6-6.5",
    "warn": "M11 6v6M11 15.5v.01",
    "calm": "M11 10.5v5M11 6.5v.01",
}


class BrowserPage(Struct, frozen=True):
    """An answer to a browser."""

    status: int
    html: str
    headers: dict[str, str]


class _Line(Struct, frozen=True):
    kind: _Kind
    text: str


def page_of(
    outcome: InstallOutcome, *, language: Language, reference: str, nonce: str
) -> BrowserPage:
    """The page about an outcome; `nonce` must be a new random one for each."""
    texts = texts_in(language)
    match outcome:
        case InstallConnected():
            status, origins, finishes = 200, outcome.origins, outcome.can_finish
            kind, title, lead = _verdict(outcome, texts)
            lines = _lines(outcome, texts)
        case InstallRefused():
            status, origins, finishes, lines = 403, (), False, []
            kind, title, lead = "warn", texts.refused_title, texts.refused
            if outcome.reason == "not_administrator":
                kind, lead = "calm", texts.not_administrator
            elif outcome.reason == "not_in_plan":
                lead = texts.not_in_plan
            elif outcome.domain:
                lead = texts.other_domain.format(domain=outcome.domain)
        case _:
            status, origins, finishes, lines = 503, (), False, []
            kind, title, lead = "calm", texts.postponed_title, texts.postponed
    html = _TEMPLATE.substitute(
        language=language,
        nonce=nonce,
        finish="finishing" if finishes else "not",
        product=escape(texts.product),
        title=escape(title),
        badge=_icon(kind),
        lead=escape(lead),
        lines=_list(lines),
        finishing=_finishing(texts) if finishes else "",
        reference=escape(texts.reference.format(reference=reference)),
        script=_scripts(nonce) if finishes else "",
    )
    return BrowserPage(status, html, _headers(nonce, origins))


def _verdict(outcome: InstallConnected, texts: Texts) -> tuple[_Kind, str, str]:
    if outcome.is_whole:
        return "good", texts.connected_title, texts.connected
    if outcome.can_finish:
        return "warn", texts.partly_title, texts.partly
    return "warn", texts.unfinished_title, texts.unfinished


def _lines(outcome: InstallConnected, texts: Texts) -> list[_Line]:
    return [
        _Line("good", texts.portal.format(domain=outcome.domain)),
        _accepted(outcome, texts),
        _delivered(outcome, texts),
        *([_queued(outcome, texts)] if outcome.bound is not None else []),
        _Line("good", texts.access),
    ]


def _accepted(outcome: InstallConnected, texts: Texts) -> _Line:
    if outcome.has_token:
        return _Line("good", texts.accepted)
    if outcome.learns_token:
        return _Line("calm", texts.accepted_soon)
    return _Line("warn", texts.not_accepted)


def _delivered(outcome: InstallConnected, texts: Texts) -> _Line:
    if outcome.is_delivering:
        return _Line("good", texts.delivered.format(handler=outcome.handler))
    if not outcome.handler:
        return _Line("warn", texts.no_address)
    reasons = sorted(set(outcome.bound.failed.values())) if outcome.bound else [outcome.trouble]
    return _Line("warn", texts.not_delivered.format(reason="; ".join(reasons)))


def _queued(outcome: InstallConnected, texts: Texts) -> _Line:
    match outcome.queue:
        case "bound":
            return _Line("good", texts.queue)
        case "not_in_plan":
            return _Line("calm", texts.no_queue)
        case _:
            return _Line("warn", texts.queue_failed)


def _list(lines: list[_Line]) -> str:
    items = (f"<li>{_icon(line.kind)}<span>{escape(line.text)}</span></li>" for line in lines)
    return f"<ul>{''.join(items)}</ul>" if lines else ""


def _icon(kind: _Kind) -> str:
    return (
        '<svg viewBox="0 0 22 22" aria-hidden="true">'
        f'<circle class="disc-{kind}" cx="11" cy="11" r="11"/>'
        f'<path class="mark mark-{kind}" d="{_MARKS[kind]}"/></svg>'
    )


def _finishing(texts: Texts) -> str:
    return "\n".join(
        f'<p class="finish {name}" role="status">{escape(text)}</p>'
        for name, text in (
            ("finishing", texts.finishing),
            ("finished", texts.finished),
            ("failed", texts.not_finished),
        )
    )


def _scripts(nonce: str) -> str:
    return f'<script src="{BX24_SCRIPT}"></script>\n<script nonce="{nonce}">\n{_FINISH}</script>'


def _headers(nonce: str, origins: tuple[str, ...]) -> dict[str, str]:
    """Only the portal that was confirmed may show the page in a frame.

    What is not confirmed has nothing in it that could be clicked, and is to be seen by whoever is
    in front of it.
    """
    policy = [
        "default-src 'none'",
        f"script-src {BX24_SCRIPT} 'nonce-{nonce}'",
        f"style-src 'nonce-{nonce}'",
        "base-uri 'none'",
        "form-action 'none'",
        *([f"frame-ancestors {' '.join(origins)}"] if origins else []),
    ]
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
