import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bitrix24.bbcode import Dialect, escaped, rendered


@pytest.mark.parametrize(
    ("source", "text", "markdown", "html"),
    [
        ("[b]now[/b]", "now", "**now**", "<b>now</b>"),
        ("[B] now [/B]!", "now !", "**now** !", "<b> now </b>!"),
        ("[i]a[/i] [s]b[/s] [u]c[/u]", "a b c", "_a_ ~~b~~ c", "<i>a</i> <s>b</s> c"),
        ("[user=7]Anna[/user]", "Anna", "Anna", "Anna"),
        (
            "[url=https://e.com/a_b]x[/url]",
            "x (https://e.com/a_b)",
            "[x](https://e.com/a_b)",
            '<a href="https://e.com/a_b">x</a>',
        ),
        (
            "[url]https://e.com/?a=1&b[/url]",
            "https://e.com/?a=1&b",
            "<https://e.com/?a=1&b>",
            '<a href="https://e.com/?a=1&amp;b">https://e.com/?a=1&amp;b</a>',
        ),
        ("[url=javascript:alert(1)]x[/url]", "x", "x", "x"),
        (
            "[quote]one\ntwo[/quote]three",
            "> one\n> two\n\nthree",
            "> one\n> two\n\nthree",
            "<blockquote>one\ntwo</blockquote>three",
        ),
        (
            "[code][b]x[/b] <y>[/code]",
            "[b]x[/b] <y>",
            "```\n[b]x[/b] <y>\n```",
            "<pre>[b]x[/b] &lt;y&gt;</pre>",
        ),
        ("[list][*]a[*]b[/list]", "• a\n• b", "- a\n- b", "• a\n• b"),
        ("a [disk file id=n12] b", "a  b", "a  b", "a  b"),
        (
            "[unknown]x[/unknown]",
            "[unknown]x[/unknown]",
            r"\[unknown\]x\[/unknown\]",
            "[unknown]x[/unknown]",
        ),
        ("[b]not closed", "not closed", "**not closed**", "<b>not closed</b>"),
        ("closed only[/b]", "closed only", "closed only", "closed only"),
        ("[b][i]crossed[/b][/i]", "crossed", "**_crossed_**", "<b><i>crossed</i></b>"),
        (":f09f9880: :ffffffff:", "😀 :ffffffff:", "😀 :ffffffff:", "😀 :ffffffff:"),
        ("<b> & *x*", "<b> & *x*", r"\<b\> & \*x\*", "&lt;b&gt; &amp; *x*"),
        (
            "# no heading\n1. no list",
            "# no heading\n1. no list",
            "\\# no heading\n1\\. no list",
            "# no heading\n1. no list",
        ),
    ],
    ids=lambda value: value[:24],
)
def test_bb_code_is_shown_in_each_dialect(source: str, text: str, markdown: str, html: str) -> None:
    assert rendered(source, "text") == text
    assert rendered(source, "markdown") == markdown
    assert rendered(source, "html") == html
    assert rendered(":f09f9880:[b]x[/b]", "bbcode") == "😀[b]x[/b]"


def test_a_comment_cannot_call_for_everybodys_attention() -> None:
    for dialect in ("text", "markdown", "html"):
        assert "@everyone" not in rendered("@everyone look, @Here", dialect)
        assert "mail anna@example.com" in rendered("mail anna@example.com", "text")


def test_escaped_text_opens_no_tag_in_bitrix24() -> None:
    assert "[b]" not in escaped("[b]x[/b]", "bbcode")


_PIECES = (
    *("[b]", "[/b]", "[url=https://e.com]", "[/url]", "[quote]", "[/quote]", "[code]", "[/code]"),
    *("[list]", "[*]", "[/list]", "[img]", "[/img]", "<script>", "text", "\n", "&", "\"'"),
)
_SOURCES = st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


@given(_SOURCES)
def test_whatever_stands_in_a_comment_html_has_only_our_own_tags(source: str) -> None:
    html = rendered(source, "html")

    assert "<script" not in html
    for tag in ("b", "a", "pre", "blockquote"):
        assert html.count(f"<{tag}>") + html.count(f"<{tag} ") == html.count(f"</{tag}>")


@given(st.text(), st.sampled_from(["text", "markdown", "html", "bbcode"]))
def test_any_text_is_rendered(source: str, dialect: Dialect) -> None:
    rendered(source, dialect)
    escaped(source, dialect)


def test_deep_nesting_keeps_the_text() -> None:
    assert rendered("[b]" * 10_000 + "x", "text") == "x"


@pytest.mark.parametrize("opening", ["[b ", "[url=", "[b" + " " * 200, ":f09f"])
def test_a_text_that_only_opens_tags_takes_no_longer_for_its_length(opening: str) -> None:
    began = time.process_time()
    rendered(opening * (60_000 // len(opening)), "plain")
    assert time.process_time() - began < 1.0
