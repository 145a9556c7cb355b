import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bitrix24.bbcode import rendered
from gateway.bitrix24.shortening import cut, shortened


@pytest.mark.parametrize(
    ("source", "length", "short"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("one two three", 7, "one two…"),
        ("one two three", 2, "…"),
        ("[b]one two[/b] three", 6, "[b]one…[/b]"),
        ("[quote]one [i]two three[/i][/quote]", 8, "[quote]one [i]two…[/i][/quote]"),
        ("[b]one[/b] [url=https://e.com]two three[/url]", 8, "[b]one[/b] …"),
        ("see [url]https://e.com/long[/url] now", 10, "see …"),
        ("[code]a b[/code]", 2, "[code]a…[/code]"),
        ("[list][*]one[*]two[/list]", 4, "[list][*]one[*]…[/list]"),
        ("[code][b]x[/code] y z", 5, "[code][b]x[/code]…"),
        ("x" * 100, 60, "x" * 60 + "…"),
        ("x" * 60 + "&#91;" * 9, 62, "x" * 60 + "…"),
    ],
)
def test_a_comment_is_cut_between_words_and_tags(source: str, length: int, short: str) -> None:
    assert shortened(source, length) == short


_PIECES = st.sampled_from(
    (
        *("[b]", "[/b]", "[url=https://e.com]", "[url]", "[/url]", "[quote]", "[/quote]", "[code]"),
        *("[/code]", "[*]", "[list]", "[/list]", "[br]", "https://e.com", "word", " ", "\n"),
        "&#91;",
    )
)


@given(st.lists(_PIECES, max_size=40).map("".join), st.integers(0, 60))
def test_what_is_cut_is_short_and_its_tags_are_whole(source: str, length: int) -> None:
    short = shortened(source, length)

    assert short == source or "…" in rendered(short, "plain")
    html = rendered(short, "html")
    for tag in ("b", "a", "pre", "blockquote"):
        assert html.count(f"<{tag}>") + html.count(f"<{tag} ") == html.count(f"</{tag}>")


@given(st.text(max_size=80), st.integers(0, 80))
def test_a_plain_text_is_cut_to_its_length(text: str, length: int) -> None:
    assert len(cut(text, length)) <= length
    assert cut(text, len(text)) == text
