"""Look for a body that breaks a law of `agreement`, PHP being a judge where it is installed.

Run by `make fuzz`; arguments are libFuzzer's (https://llvm.org/docs/LibFuzzer.html#options). A body
that fails is left in .fuzz_cache/, next to the bodies that the next run starts from.
"""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

import atheris

with atheris.instrument_imports(include=["gateway.inbound"]):
    import gateway.inbound.form_fields  # noqa: F401 - instrumented, for the agreement below
    from gateway.inbound.form import DEFAULT_LIMITS, Limits

from tests.fuzz import php
from tests.fuzz.agreement import assert_read_as_php_does, assert_same_either_way
from tests.fuzz.bodies import FRAGMENTS, SENT_NAMES, assembled, oddities, wire_bodies

CACHE: Final = Path(".fuzz_cache")
MAX_BODY_BYTES: Final = 1_024

# The first byte of an input chooses; low limits are met sooner.
LIMITS: Final = (DEFAULT_LIMITS, php.LIMITS, Limits(max_bytes=64, max_keys=3, max_depth=1))


def one_body(judge: php.PhpParser | None, data: bytes) -> None:
    """What the fuzzer calls."""
    limits = LIMITS[data[0] % len(LIMITS)] if data else DEFAULT_LIMITS
    body = data[1:]
    assert_same_either_way(body, limits)
    if judge and limits is php.LIMITS and not _may_be_a_cookie(body):
        assert_read_as_php_does(body, judge.parse_str(body))


def main() -> None:
    """Fuzz as long as the arguments say, from all known bodies."""
    corpus = CACHE / "form"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate([*oddities(), *wire_bodies(), *assembled(500, seed=3)]):
        (corpus / f"known-{number}").write_bytes(bytes([number % len(LIMITS)]) + body)
    words = CACHE / "form.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*FRAGMENTS, *SENT_NAMES)))
    options = [f"-dict={words}", f"-max_len={MAX_BODY_BYTES}", f"-artifact_prefix={CACHE}/"]
    binary = php.find_php()
    with ExitStack() as stack:
        judge = stack.enter_context(php.running_php(binary)) if binary else None
        print(
            f"PHP {judge.version} judges too" if judge else "php is not on PATH: not compared",
            flush=True,
        )
        arguments = [sys.argv[0], *options, *sys.argv[1:], str(corpus)]
        atheris.Setup(arguments, partial(one_body, judge))
        atheris.Fuzz()


def _may_be_a_cookie(body: bytes) -> bool:
    """Whether PHP might drop a name, as the docstring of `parse_form` says."""
    decoded = unquote_to_bytes(body)
    return b"Host-" in decoded or b"Secure-" in decoded


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
