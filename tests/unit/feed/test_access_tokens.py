"""Only who has a token is let in, and only its digest is anywhere."""

import pytest

from consumers.feed.access_tokens import AccessTokens, digest_of, new_token
from gateway.errors import OperatorError
from gateway.settings import FeedTokenSettings


def settings(name: str, *tokens: str, portals: tuple[str, ...] = ()) -> FeedTokenSettings:
    return FeedTokenSettings(
        name=name, digests=tuple(digest_of(one) for one in tokens), portals=portals
    )


def test_who_shows_a_token_is_known_by_its_name_and_scope() -> None:
    first, second = new_token(), new_token()
    tokens = AccessTokens([settings("crm", first, portals=("one",)), settings("search", second)])
    holder = tokens.holder_of(f"Bearer {first}")

    assert holder is not None
    assert (holder.name, holder.scope.portals) == ("crm", frozenset({"one"}))
    assert not holder.scope.has_texts
    assert (other := tokens.holder_of(f"bearer  {second} ")) is not None
    assert (other.name, other.scope.portals) == ("search", None)


def test_both_tokens_are_right_while_one_takes_the_place_of_another() -> None:
    old, new = new_token(), new_token()
    tokens = AccessTokens([settings("crm", old, new)])

    assert tokens.holder_of(f"Bearer {old}") == tokens.holder_of(f"Bearer {new}") is not None


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic {0}", "{0}", "Bearer {0}x"])
def test_nobody_else_is_let_in(header: str) -> None:
    token = new_token()

    assert AccessTokens([settings("crm", token)]).holder_of(header.format(token)) is None
    assert AccessTokens([settings("crm", token)]).holder_of(f"Bearer {digest_of(token)}") is None


def test_bytes_that_are_no_text_are_no_token() -> None:
    assert AccessTokens([settings("crm", new_token())]).holder_of("Bearer \udcff\udcfe") is None


def test_tokens_differ_and_are_long() -> None:
    made = {new_token() for _ in range(100)}

    assert len(made) == 100
    assert min(map(len, made)) > 48


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(OperatorError, match="name crm is there twice"):
        AccessTokens([settings("crm", new_token()), settings("crm", new_token())])


def test_a_digest_that_is_there_twice_is_refused() -> None:
    token = new_token()
    with pytest.raises(OperatorError, match="digest is there twice"):
        AccessTokens([settings("crm", token), settings("search", token)])


def test_a_token_for_what_no_event_is_of_stops_the_start() -> None:
    one = FeedTokenSettings(name="crm", digests=(digest_of("a"),), types=("crm.deal.*",))

    with pytest.raises(OperatorError, match=r"crm types: no event is of the type 'crm\.deal"):
        AccessTokens([one])
