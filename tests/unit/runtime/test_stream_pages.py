"""A page of a stream is what redis-py makes of it, whichever protocol the server speaks."""

from redis._parsers.helpers import parse_xread_unified

from consumers.runtime.stream_pages import pages_of

PAGE = [[b"1-0", [b"event", b"{}"]], [b"2-0", [b"event", b"{}", b"kind", b"replay"]]]


def test_pages_are_the_same_as_those_of_the_library() -> None:
    for response in ({b"stream": PAGE}, [[b"stream", PAGE]], {}, [], None):
        by_the_library = parse_xread_unified(response)  # type: ignore[no-untyped-call]
        assert pages_of(response) == by_the_library
