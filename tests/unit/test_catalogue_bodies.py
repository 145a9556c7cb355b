"""Each event of the catalogue has a body as PHP writes it, with the id where its row says."""

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from b24pysdk.credentials import OAuthEventData

from gateway.contract.catalogue import CATALOGUE
from tests.fuzz.php import find_php
from tests.support.catalogue_bodies import FOLDER, MEMBER_ID, CatalogueBody, catalogue_bodies

BODIES = catalogue_bodies()
WITH_TOKENS_OF_A_BOT = re.compile(r"onIm(Command|Bot(?!Delete)).*")


def pairs(body: CatalogueBody) -> dict[str, str]:
    return dict(parse_qsl(body.body.decode(), strict_parsing=True, keep_blank_values=True))


def without_tokens(tree: Any) -> Any:
    """A tree of which nothing is left of what has an access token, but what the bot is called."""
    if isinstance(tree, list):
        return [without_tokens(one) for one in tree]
    if not isinstance(tree, dict):
        return tree
    is_secret = "access_token" in tree
    bare = {
        key: without_tokens(value)
        for key, value in tree.items()
        if not is_secret or key.startswith(("BOT_", "COMMAND", "MESSAGE_"))
    }
    return {key: value for key, value in bare.items() if value != {}}


def test_each_row_has_a_body_and_each_body_a_tree() -> None:
    made = {path.stem for path in (FOLDER / "bodies").iterdir()}

    assert {one.row for one in BODIES} == set(CATALOGUE)
    assert made == {one.name for one in BODIES}


def test_php_makes_these_bodies_of_the_trees(tmp_path: Path) -> None:
    php = find_php()
    if php is None:
        pytest.skip("php is not on PATH; Debian's package is php-cli")
    subprocess.run([php, "-n", FOLDER / "make.php", tmp_path], check=True, timeout=60)

    assert {path.stem: path.read_bytes() for path in tmp_path.iterdir()} == {
        one.name: one.body for one in BODIES
    }


def test_the_id_stands_where_the_row_says() -> None:
    for one in BODIES:
        sent = pairs(one)
        other_places = [place for _, place in one.row.other_subjects]
        at = [place for place in (*one.row.id_places, *other_places) if sent.get(place, "0") != "0"]
        assert bool(at) is bool(one.row.id_places), one.name
        assert all(place in sent for place in one.row.entity_type_places), one.name


def test_each_place_is_where_some_body_has_the_id() -> None:
    """Of comments the reference alone shows the others, in tests/wire."""
    seen = {(one.row.subject_kind, place) for one in BODIES for place in pairs(one)}
    unseen = {
        (row.subject_kind, place)
        for row in CATALOGUE
        for place in row.id_places
        if (row.subject_kind, place) not in seen
    }

    assert unseen == {("comment", "data[ID]"), ("comment", "data[id]")}


def test_the_official_sdk_reads_each_as_its_tree_says() -> None:
    for one in BODIES:
        told = OAuthEventData.from_dict(pairs(one))
        assert told.event.partition("_")[0] == one.row.wire_name, one.name
        assert told.auth.member_id == MEMBER_ID, one.name
        assert without_tokens(told.data) == (one.data or None), one.name
        has_tokens = bool(WITH_TOKENS_OF_A_BOT.fullmatch(one.row.documented_name))
        assert (b"0of0the0bot" in one.body) is has_tokens, one.name


def test_an_event_is_sent_by_the_name_of_its_type_of_smart_process_too() -> None:
    (one,) = [body for body in BODIES if body.name == "onCrmDynamicItemUpdate@of-its-type"]

    assert pairs(one)["event"] == "ONCRMDYNAMICITEMUPDATE_1220"
