"""Whatever the table of events has is told in words, in both languages."""

import pytest

from consumers.notifier.event_words import change_in_words, kind_in_words
from gateway.contract import APP_SUBJECT, ENTITY_TYPE_ID, EVENT_TYPES, EventType

ROWS = [row for row in EVENT_TYPES if row.subject_kind != APP_SUBJECT]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.documented_name)
def test_every_event_has_words_in_both_languages(row: EventType) -> None:
    kind = row.subject_kind.replace(ENTITY_TYPE_ID, "1032")
    action = row.type.rpartition(".")[2]

    assert kind_in_words(kind, "en").isascii()
    assert change_in_words(action, kind, "en").isascii()
    for words in (kind_in_words(kind, "ru"), change_in_words(action, kind, "ru")):
        assert any("а" <= sign <= "я" for sign in words), words


@pytest.mark.parametrize(
    ("kind", "action", "title", "sentence", "russian"),
    [
        ("deal", "updated", "deal updated", "deal was updated", "сделка изменена"),
        ("deal", "deleted", "deal deleted", "deal was deleted", "сделка удалена"),
        ("item.1032", "updated", "smart process item updated", "smart process item was updated",
         "элемент смарт-процесса изменён"),
        ("item.31", "added", "invoice added", "invoice was added", "счёт добавлен"),
        ("activity", "added", "activity added", "activity was added", "дело добавлено"),
        ("sign_document", "status_changed", "document to be signed: status changed",
         "document to be signed: status changed", "документ на подпись: смена статуса"),
        ("acme_thing", "turned_over", "acme thing: turned over", "acme thing: turned over",
         "acme thing: turned over"),
    ],
)  # fmt: skip
def test_a_kind_and_a_change_make_words(
    kind: str, action: str, title: str, sentence: str, russian: str
) -> None:
    in_english, in_russian = kind_in_words(kind, "en"), kind_in_words(kind, "ru")

    assert in_english + change_in_words(action, kind, "en") == title
    assert in_english + change_in_words(action, kind, "en", is_sentence=True) == sentence
    assert in_russian + change_in_words(action, kind, "ru") == russian
