import re
import time
from typing import get_args

import pytest
from hypothesis import example, given
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


@pytest.mark.parametrize(
    ("source", "text", "markdown", "html"),
    [
        # Both editors of the portals store the brackets that somebody types so.
        (
            "Contract &#91;draft&#93; &#92;",
            "Contract [draft] &#92;",
            r"Contract \[draft\] \&#92;",
            "Contract [draft] &amp;#92;",
        ),
        ("[code]a&#91;0&#93;[/code]", "a[0]", "```\na[0]\n```", "<pre>a[0]</pre>"),
        (
            "[url=https://e.com/?f&#91;id&#93;=1]x[/url]",
            "x (https://e.com/?f[id]=1)",
            "[x](https://e.com/?f[id]=1)",
            '<a href="https://e.com/?f[id]=1">x</a>',
        ),
        (
            "[url]https://e.com/?f&#91;id&#93;=1[/url]",
            "https://e.com/?f[id]=1",
            "<https://e.com/?f[id]=1>",
            '<a href="https://e.com/?f[id]=1">https://e.com/?f[id]=1</a>',
        ),
        ("&#91;b&#93;x&#91;/b&#93;", "[b]x[/b]", r"\[b\]x\[/b\]", "[b]x[/b]"),
        (
            "[PROJECT=5]Group[/PROJECT], [DEPARTMENT=3]Sales[/DEPARTMENT]",
            "Group, Sales",
            "Group, Sales",
            "Group, Sales",
        ),
        (
            "[VIDEO width=400 height=300]https://e.com/v.mp4[/VIDEO]",
            "https://e.com/v.mp4",
            "<https://e.com/v.mp4>",
            '<a href="https://e.com/v.mp4">https://e.com/v.mp4</a>',
        ),
        ("a[FILE ID=12][DISK FILE ID=n1 WIDTH=5]b", "ab", "ab", "ab"),
        (
            "[list]\n[*]one\n[*]two\n[/list]\nend",
            "• one\n• two\n\nend",
            "- one\n- two\n\nend",
            "• one\n• two\n\nend",
        ),
        (
            "[list=1]\n[*]one\n[*]two[list]\n[*]three\n[/list]\n[/list]",
            "1. one\n2. two\n   • three",
            "1. one\n2. two\n   - three",
            "1. one\n2. two\n   • three",
        ),
        (
            "[table]\n[tr]\n[th]A[/th]\n[th]B[/th]\n[/tr]\n[tr]\n[td]1[/td]\n[td]2[/td]\n[/tr]\n[/table]",
            "A  B\n1  2",
            "A  B\n1  2",
            "A  B\n1  2",
        ),
    ],
    ids=lambda value: value[:24],
)
def test_a_comment_is_shown_as_the_portals_editors_store_it(
    source: str, text: str, markdown: str, html: str
) -> None:
    assert rendered(source, "plain") == rendered(source, "text") == text
    assert rendered(source, "markdown") == markdown
    assert rendered(source, "html") == html


@pytest.mark.parametrize("sign", ["-", "#", "+", "="])
def test_a_sign_behind_a_blank_line_has_one_backslash(sign: str) -> None:
    assert rendered(f"Agreed:\n\n{sign} price", "markdown") == f"Agreed:\n\n\\{sign} price"


@pytest.mark.parametrize(
    "typed",
    [
        *("<@7>", "<@!7>", "<@&7>", "<#7>", "@anna", "@Everyone", "x@here", "@**Anna**", "@*team*"),
        *("<!channel>", "<!subteam^S1>", "<https://e.com|name>", "<mailto:a@e.com|name>"),
        *("[name](https://e.com)", "https://e.com/@everyone"),
    ],
)
@pytest.mark.parametrize("dialect", ["text", "markdown", "html"])
@pytest.mark.parametrize("surroundings", ["{}", "see {}, please", "[code]{}[/code]", "[b]{}[/b]"])
def test_nothing_that_is_typed_mentions_anybody_or_hides_where_a_link_leads(
    typed: str, dialect: Dialect, surroundings: str
) -> None:
    shown = rendered(surroundings.format(typed), dialect).replace("\\", "")

    assert typed not in shown or dialect == "html"
    meant = r"@(everyone|here|anna|\*)|<[@#!]|<[a-z]+:[^<>]*\||\]\("
    if dialect == "html":  # where brackets mean nothing
        meant = r"@(everyone|here|anna|\*|\d)"
    assert not re.search(meant, shown, re.IGNORECASE)
    # Nobody sees the difference.
    assert typed in rendered(typed, "plain")


def test_an_address_that_is_typed_stays_an_address() -> None:
    typed = "see https://e.com/a_b_c?x=1&y=(z), or mail anna@example.com."

    assert rendered(typed, "text") == typed
    assert rendered(typed, "markdown") == (
        "see <https://e.com/a_b_c?x=1&y=(z)>, or mail anna@example.com."
    )


def test_bitrix24_gets_the_tags_that_it_shows_and_no_others() -> None:
    assert rendered("[b]x[/b] [user=7]Anna[/user] [call=1]y[/call]", "bbcode") == (
        "[b]x[/b] [user=7]Anna[/user] [ call=1]y[ /call]"
    )
    assert rendered("[user=all]everybody[/user]", "bbcode") == "everybody[/user]"
    assert rendered("[code][call=1][/code]", "bbcode") == "[code][call=1][/code]"


def test_a_comment_cannot_call_for_everybodys_attention() -> None:
    for dialect in ("text", "markdown", "html"):
        assert "@everyone" not in rendered("@everyone look, @Here", dialect)
        assert "mail anna@example.com" in rendered("mail anna@example.com", "text")


def test_escaped_text_opens_no_tag_in_bitrix24() -> None:
    assert "[b]" not in escaped("[b]x[/b]", "bbcode")


_PIECES = (
    *("[table]", "[tr]", "[td]", "[/td]", "[/tr]", "[/table]", "[list=1]", "[p]", "[/p]", "[br]"),
    *("&#91;", "&#93;", "x", " ", "@", "https://e.com/", "[user=7]", "[video]", "[/video]"),
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


@given(_SOURCES | st.text(alphabet="[]/quoteb*ls=1td\n :@&#9;x", max_size=400))
@example("[quote]\n" * 2_000)
@example("[quote]" * 4 + "x\n" * 2_000)
@example("[list=1]" + "[*]x" * 2_000)
@example("[list]" * 30 + "[*]x\n" * 2_000)
def test_plain_text_is_at_most_twice_as_long_as_its_source(source: str) -> None:
    assert len(rendered(source, "plain")) <= 2 * len(source)


def test_quotes_within_quotes_are_shown_to_the_fourth_level() -> None:
    source = "".join(f"[quote]{number}" for number in range(1, 7)) + " " * 200

    assert rendered(source, "plain").splitlines() == [
        *("> 1", "> > 2", "> > > 3", "> > > > 4", "> > > > 5", "> > > > 6"),
    ]


def test_deep_nesting_keeps_the_text() -> None:
    assert rendered("[b]" * 10_000 + "x", "text") == "x"


@pytest.mark.parametrize(
    "opening",
    [
        *("[b ", "[url=", "[b" + " " * 200, ":f09f", "[quote]\n", "[list]\n[*]", "[tr][td]"),
        *("https://", "https://e.com/(", "<@", "]("),
    ],
)
@pytest.mark.parametrize("dialect", ["plain", "markdown"])
def test_a_text_that_only_opens_tags_takes_no_longer_for_its_length(
    opening: str, dialect: Dialect
) -> None:
    began = time.process_time()
    rendered(opening * (60_000 // len(opening)), dialect)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_no_dialect_has_control_characters_that_xml_cannot_hold(dialect: Dialect) -> None:
    assert escaped("Ten\x00 cranes\x1b", dialect) == "Ten cranes"
