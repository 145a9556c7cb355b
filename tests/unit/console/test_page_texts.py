"""The sentences of the console: all of them in both languages, and none that no page has."""

import re
from pathlib import Path

from gateway.console.page_texts import language_for, sentences

TEMPLATES = Path(__file__).parents[3] / "gateway" / "console" / "templates"
BUILT = (
    "by_",
    "trouble_",
    "severity_",
    "done_",
    "ask_",
    "yes_",
    "state_",
    "kept_",
    "comment_",
    "chart_",
    "line_",
)
"""Keys that a page puts together out of what it shows."""
ROLES = {"viewer", "operator"}


def test_both_languages_have_the_same_sentences() -> None:
    assert sentences("en").keys() == sentences("ru").keys()
    assert all(text.strip() for language in ("en", "ru") for text in sentences(language).values())


def test_every_sentence_is_on_a_page_and_every_page_has_its_sentences() -> None:
    sources = "".join(path.read_text() for path in TEMPLATES.glob("*.j2"))
    used = set(re.findall(r"\bt\.(\w+)", sources))
    titles = {f"{path.stem}_title" for path in TEMPLATES.glob("*.j2")} - {
        "base_title",
        "macros_title",
        "charts_title",
    }

    assert used - sentences("en").keys() == set()
    assert titles - sentences("en").keys() == set()
    left = {key for key in sentences("en").keys() - used - titles if not key.startswith(BUILT)}
    assert left == ROLES


def test_the_language_is_the_chosen_one_or_the_browsers() -> None:
    assert language_for("ru", "en-GB,en") == "ru"
    assert language_for(None, "ru-RU,ru;q=0.9,en;q=0.8") == "ru"
    assert language_for(None, "de,en;q=0.7,ru;q=0.3") == "en"
    assert language_for("xx", "") == "en"
