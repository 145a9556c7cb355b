"""A history that somebody wrote anew, with another key, or without any."""

import re
from hashlib import sha256
from pathlib import Path

from consumers.audit.chain import Chain
from consumers.audit.chain_head import read_head
from consumers.audit.chain_options import ChainOptions
from consumers.audit.chain_verification import verify_chain
from consumers.audit.merkle import root
from consumers.audit.records import seal
from consumers.audit.signing import SigningKey
from tests.integration.audit.whole_chain import FIRST, chain, found, key
from tests.support.audit_log import Clock, a_key, entries, tamper, verify, write

__all__ = ["chain", "key"]


class Forger:
    """Somebody who can write to the disk and knows all but the key."""

    def __init__(self, chain: Path) -> None:
        self.chain = chain

    def rewrite(self, change: tuple[bytes, bytes], *, signer: SigningKey | None = None) -> None:
        """Change an event in the first file and make all hashes and roots fit again."""
        prev, leaves = b"0" * 64, list[bytes]()
        for path in sorted(self.chain.glob("*.jsonl")):
            lines = []
            for line in path.read_bytes().replace(*change, 1).splitlines(keepends=True):
                body = line[: line.rindex(b',"hash"')]
                body = re.sub(rb'"prev":"\w{64}"', b'"prev":"%b"' % prev, body, count=1)
                is_checkpoint = b'"kind":"checkpoint"' in body
                if is_checkpoint:
                    new_root = root(leaves).hex().encode()
                    body = re.sub(rb'"root":"\w{64}"', b'"root":"%b"' % new_root, body)
                    leaves.clear()
                body = self._sign_again(body, signer)
                fitting, digest = seal(body)
                if not is_checkpoint:
                    leaves.append(bytes.fromhex(digest))
                lines.append(fitting)
                prev = digest.encode()
            path.write_bytes(b"".join(lines))
        self._rewrite_head(prev, signer)

    def _sign_again(self, body: bytes, signer: SigningKey | None) -> bytes:
        if signer is None or b',"signature":"' not in body:
            return body
        body = body[: body.rindex(b',"signature"')]
        body = re.sub(rb'"key":"\w{64}"', b'"key":"%b"' % signer.public_key.encode(), body)
        return body + b',"signature":"%b"' % signer.sign(body).encode()

    def _rewrite_head(self, prev: bytes, signer: SigningKey | None) -> None:
        signed = read_head(self.chain)
        assert signed is not None
        head = signed.line
        body = head[: head.rindex(b',"hash"')]
        body = re.sub(rb'"prev":"\w{64}"', b'"prev":"%b"' % prev, body)
        (self.chain / "head").write_bytes(seal(self._sign_again(body, signer))[0].ljust(2048))


def test_a_rewritten_history_without_the_key_is_forged(chain: Path, key: SigningKey) -> None:
    Forger(chain).rewrite((b"acme", b"acne"))
    assert found(chain)[0] == "forged"
    assert found(chain, key)[0] == "forged"


def test_a_history_rewritten_with_another_key_is_forged(chain: Path, key: SigningKey) -> None:
    other = a_key()
    Forger(chain).rewrite((b"acme", b"acne"), signer=other)
    assert verify(chain).fault is None, "only the right key can tell"
    assert found(chain, key) == ("forged", "head", None)


def test_a_history_stripped_of_its_signatures_is_unsigned(
    chain: Path, key: SigningKey, tmp_path: Path
) -> None:
    unsigned = write(tmp_path / "stripped", None, entries(1, 10), entries(11, 20))
    assert verify(unsigned).fault is None
    assert found(unsigned, key) == ("unsigned", "head", None)


def test_a_forged_checkpoint_is_named(chain: Path, key: SigningKey) -> None:
    def forge(lines: list[bytes]) -> list[bytes]:
        assert b'"kind":"checkpoint"' in lines[8]
        body = lines[8][: lines[8].rindex(b',"hash"')]
        made_up = sha256(b"made up").hexdigest().encode()
        body = re.sub(rb'"root":"\w{64}"', b'"root":"%b"' % made_up, body)
        return [*lines[:8], seal(body)[0], *lines[9:]]

    tamper(chain / FIRST, forge)
    assert found(chain, key) == ("forged", FIRST, 9)


def test_a_checkpoint_without_its_signature_is_unsigned(chain: Path, key: SigningKey) -> None:
    def strip(lines: list[bytes]) -> list[bytes]:
        body = lines[8][: lines[8].rindex(b',"hash"')]
        body = re.sub(rb',"(key|signature)":"\w+"', b"", body)
        return [*lines[:8], seal(body)[0], *lines[9:]]

    tamper(chain / FIRST, strip)
    assert found(chain, key) == ("unsigned", FIRST, 9)


def test_a_head_stripped_of_its_signature_is_unsigned(chain: Path, key: SigningKey) -> None:
    signed = read_head(chain)
    assert signed is not None
    body = signed.line[: signed.line.rindex(b',"hash"')]
    body = re.sub(rb',"(key|signature)":"\w+"', b"", body)
    (chain / "head").write_bytes(seal(body)[0].ljust(2048))
    assert found(chain) == found(chain, key) == ("unsigned", "head", None)


def test_an_older_copy_of_the_log_is_missed_by_an_anchor(tmp_path: Path, key: SigningKey) -> None:
    chain = write(tmp_path, key, entries(1, 10))
    older = {path: path.read_bytes() for path in chain.iterdir()}
    with_more = Chain.open(tmp_path, "events", 0, ChainOptions(signer=key, clock=Clock()))
    with_more.append(entries(11, 20))
    with_more.close()
    anchor = verify(chain, key).anchor
    assert verify_chain(chain, keys=[key.public_key], anchors=[anchor]).fault is None

    for path, content in older.items():
        path.write_bytes(content)
    assert verify(chain, key).fault is None, "an older copy is whole in itself"
    fault = verify_chain(chain, keys=[key.public_key], anchors=[anchor]).fault
    assert fault is not None
    assert (fault.what, fault.file) == ("truncated", FIRST)


def test_another_history_is_missed_by_an_anchor(tmp_path: Path, key: SigningKey) -> None:
    anchor = verify(write(tmp_path / "one", key, entries(1, 10)), key).anchor
    other = write(tmp_path / "other", key, entries(11, 20))
    fault = verify_chain(other, anchors=[anchor]).fault
    assert fault is not None
    assert (fault.what, fault.line) == ("replaced", 13)
