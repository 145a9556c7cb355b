import pytest
from jinja2 import TemplateError
from msgspec.structs import replace

from consumers.notifier.notices import Notice
from gateway.bitrix24.bbcode import Dialect
from gateway.contract import Comment, CommentEvent, decode_event, encode_event
from gateway.errors import OperatorError
from tests.unit.notifier.sales_templates import SAMPLES, templates


def test_an_edit_with_its_text_in_english() -> None:
    message = templates("markdown").message(SAMPLES["an edit"])

    assert message.title == "Comment updated: deal 2 (acme.bitrix24.com)"
    assert message.body == (
        "> Call the client **today**, Anna: the offer is at [example.com](https://example.com/offer).\n"
        ">\n"
        "> > We need it by Friday.\n"
        "\n"
        "Comment 999 was updated by user 7, its author (3 changes), 18 Dec 2025 09:18 CET.\n"
        "Files: offer.pdf\n"
        "[Open in Bitrix24](https://acme.bitrix24.com/crm/deal/details/2/)"
    )


def test_an_edit_with_its_text_in_russian() -> None:
    message = templates("text", "ru").message(SAMPLES["an edit"])

    assert message.title == "Комментарий изменён: сделка 2 (acme.bitrix24.com)"
    assert (
        "Комментарий 999 изменён, пользователь 7, он же автор (3 изменения), 18.12.2025 09:18 CET."
        in message.body
    )
    assert "Открыть в Битрикс24: https://acme.bitrix24.com/crm/deal/details/2/" in message.body


@pytest.mark.parametrize(
    ("language", "said", "files"),
    [
        ("en", "Its text is longer than this: Bitrix24 has all of it.", "Files: offer.pdf, …"),
        ("ru", "Это лишь начало текста: целиком он в Битрикс24.", "Файлы: offer.pdf, …"),
    ],
)
def test_a_comment_that_is_not_there_in_full_says_so_above_its_link(
    language: str, said: str, files: str
) -> None:
    (whole,) = SAMPLES["an edit"]
    event = decode_event(whole.raw)
    assert isinstance(event, CommentEvent)
    assert isinstance(event.data.comment, Comment)
    comment = replace(event.data.comment, cut=("text", "files"))
    cut = replace(
        whole, raw=encode_event(replace(event, data=replace(event.data, comment=comment)))
    )

    lines = templates(language=language).message([cut]).body.splitlines()

    assert lines[-3:-1] == [files, said]
    assert said not in templates(language=language).message([whole]).body


def test_an_edit_without_its_text_says_what_is_known() -> None:
    message = templates().message(SAMPLES["without the text"])

    assert message.title == "Comment updated (acme.bitrix24.com)"
    assert message.body == "Comment 999 was updated by user 7, 18 Dec 2025 09:18 CET."


@pytest.mark.parametrize(
    ("language", "title", "words"),
    [
        ("en", "No more events from acme.bitrix24.com", "about 42 an hour"),
        ("ru", "События с портала acme.bitrix24.com перестали приходить", "около 42 в час"),
    ],
)
def test_a_silent_portal_is_told_with_when_it_was_heard_last(
    language: str, title: str, words: str
) -> None:
    message = templates(language=language).message(SAMPLES["portal.silent"])

    assert message.title == title
    assert "2025 07:41 CET" in message.body
    assert words in message.body
    assert message.body.endswith("gateway portals check --portal acme.bitrix24.com")


@pytest.mark.parametrize("language", ["en", "ru"])
def test_each_trouble_of_a_portal_has_a_headline_of_its_own(language: str) -> None:
    troubles = [notices for name, notices in SAMPLES.items() if name.startswith("portal.")]
    titles = {templates(language=language).message(notices).title for notices in troubles}

    assert len(titles) == len(troubles) == 5
    digest = templates(language=language).message([one for (one,) in troubles])
    assert all(f"CET {title}" in digest.body for title in titles)
    assert digest.title in {"5 notices", "5 уведомлений"}


def test_a_digest_has_a_line_for_each_comment() -> None:
    message = templates().message(SAMPLES["a digest"])

    assert message.title == "3 comments changed"
    assert [line[:2] for line in message.body.splitlines()] == ["• "] * 3


def test_a_long_digest_says_how_many_more_there_are() -> None:
    message = templates().message(SAMPLES["without the text"] * 53)

    assert len(message.body.splitlines()) == 51
    assert message.body.endswith("… and 3 more")


def test_held_back_messages_say_so() -> None:
    held = [replace(notice, is_held=True) for notice in SAMPLES["a digest"]]

    assert templates().message(held).title.endswith("while notifications were held back")
    assert templates(language="ru").message(held).title.endswith("пока уведомления были отложены")


@pytest.mark.parametrize("dialect", ["text", "markdown", "html", "bbcode"])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_default_templates_render_every_sample(dialect: Dialect, language: str) -> None:
    own = templates(dialect, language)
    for name, sample in SAMPLES.items():
        message = own.message(sample)

        assert message.title, name
        assert message.body, name
        for leftover in ("None", "{{", "}}", "{%", "\n\n\n"):
            assert leftover not in message.title + message.body, name


def test_html_is_escaped_and_keeps_its_lines() -> None:
    own = templates("html", body="{{ comment.files[0] }}\n{{ '<i>' }}\n<i>{{ user_id }}</i>")

    assert own.message(SAMPLES["an edit"]).body == "offer.pdf<br>\n&lt;i&gt;<br>\n<i>7</i>"


def test_preformatted_html_gets_no_second_line_breaks() -> None:
    (notice,) = SAMPLES["an edit"]
    raw = notice.raw.replace(b"Call the client", rb"[code]a\nb[/code]")

    body = templates("html").message([replace(notice, raw=raw)]).body

    assert "<pre>a\nb</pre>" in body


def test_a_title_is_one_short_line() -> None:
    own = templates(title="a\nb {{ 'x' * 500 }}")

    title = own.message(SAMPLES["an edit"]).title

    assert title.startswith("a b xxx")
    assert len(title) == 200


def test_an_empty_body_falls_back_to_the_default() -> None:
    own = templates(body="{% if comment.text %}{{ comment.text }}{% endif %}")

    assert "was updated by user 7" in own.message(SAMPLES["without the text"]).body


@pytest.mark.parametrize(
    ("key", "source", "fault"),
    [
        ("title", "{{ x", "unexpected end"),
        ("body", "{% for %}", "Expected an expression"),
        ("body", "{{ comment.nope }}", "nope"),
        ("digest_body", "{{ nothing }}", "nothing"),
        ("title", "{{ ''.__class__.__mro__ }}", "unsafe"),
        ("body", "{{ 1 // 0 }}", "zero"),
    ],
)
def test_a_template_that_cannot_work_is_named(key: str, source: str, fault: str) -> None:
    with pytest.raises(OperatorError, match=fault) as caught:
        templates(**{key: source}).check(list(SAMPLES.values()))

    assert str(caught.value).startswith(f"[[notifier.routes]] sales {key}: ")


def test_the_sandbox_changes_nothing_it_is_given() -> None:
    own = templates(body="{{ items.append(1) }}")

    with pytest.raises(TemplateError):
        own.message(SAMPLES["an edit"])


def test_a_template_that_fails_leaves_the_default_one() -> None:
    own = templates(body="{{ comment.entity_id // 0 }}")
    notices: tuple[Notice, ...] = SAMPLES["an edit"]

    assert "was updated by user 7" in own.plain_message(notices).body


@pytest.mark.parametrize(
    ("count", "english", "russian"),
    [
        (1, "1 change", "1 изменение"),
        (2, "2 changes", "2 изменения"),
        (5, "5 changes", "5 изменений"),
        (11, "11 changes", "11 изменений"),
        (21, "21 changes", "21 изменение"),
        (112, "112 changes", "112 изменений"),
    ],
)
def test_numbers_go_with_their_nouns(count: int, english: str, russian: str) -> None:
    (notice,) = SAMPLES["an edit"]
    several = [replace(notice, count=count)]
    body = "{{ count | forms('change', 'changes') }}"
    forms = "{{ count | forms('изменение', 'изменения', 'изменений') }}"

    assert templates(body=body).message(several).body == english
    assert templates(body=forms).message(several).body == russian


@pytest.mark.parametrize(
    ("entity_type", "page"),
    [("lead", "crm/lead"), ("smart_invoice", "crm/type/31"), ("dynamic_177", "crm/type/177")],
)
def test_the_link_leads_to_the_entity(entity_type: str, page: str) -> None:
    (notice,) = SAMPLES["an edit"]
    raw = notice.raw.replace(b'"deal"', f'"{entity_type}"'.encode())

    body = templates(body="{{ comment.url }}").message([replace(notice, raw=raw)]).body

    assert body == f"https://acme.bitrix24.com/{page}/details/2/"
