"""`consumers audit …`, as a person types it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from consumers.cli import cli
from tests.support.audit_log import MEMBER, a_key, entries, entry, event_id, tamper, write

KEY = a_key()
OTHER_PORTAL = "0" * 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two partitions; events 1 to 20 of one portal, 21 to 30 of another."""
    root = tmp_path / "audit"
    elsewhere = [entry(number, member_id=OTHER_PORTAL) for number in range(21, 31)]
    write(root, KEY, entries(1, 10), [*entries(11, 20), *elsewhere])
    return root


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["audit", *map(str, arguments)])


def test_verify_accepts_a_whole_log(root: Path) -> None:
    done = run("verify", root, "--key", KEY.public_key)
    assert done.exit_code == 0, done.output
    assert "30 events" in done.output
    assert done.output.endswith(f"{root}: whole\n")


def test_verify_names_the_first_broken_record_and_exits_with_1(root: Path) -> None:
    tamper(
        root / "events-0" / "2026-11-20.jsonl",
        lambda lines: [*lines[:4], lines[4].replace(b"acme", b"acne"), *lines[5:]],
    )
    done = run("verify", root)
    assert done.exit_code == 1
    assert done.output.startswith("events-0/2026-11-20.jsonl:5: changed: record 5 was changed")
    as_json = run("verify", root, "--json")
    assert as_json.exit_code == 1
    answer = msgspec.json.decode(as_json.output)
    assert answer["is_whole"] is False
    assert answer["chains"][0]["fault"] == {
        "what": "changed",
        "file": "2026-11-20.jsonl",
        "line": 5,
        "seq": 5,
        "detail": "record 5 was changed: its bytes do not give its hash",
    }


def test_verify_misses_a_whole_partition(root: Path, tmp_path: Path) -> None:
    done = run("verify", root, "--partitions", 2)
    assert done.exit_code == 1
    assert "events-1: missing: no such chain" in done.output
    (tmp_path / "nothing").mkdir()
    assert run("verify", tmp_path / "nothing").exit_code == 1


def test_verify_prints_an_anchor_and_takes_it(root: Path) -> None:
    printed = run("verify", root).output
    anchor = next(line.split()[1] for line in printed.splitlines() if "anchor" in line)
    assert run("verify", root, "--anchor", anchor).exit_code == 0
    chain, seq, digest = anchor.split(":")
    later = f"{chain}:{int(seq) + 1}:{digest}"
    assert "which an anchor names, is not there" in run("verify", root, "--anchor", later).output
    elsewhere = f"events-7:1:{digest}"
    assert "events-7: missing" in run("verify", root, "--anchor", elsewhere).output
    assert run("verify", root, "--anchor", "events-0:1").exit_code == 2


def test_a_key_can_be_made_kept_and_used_by_its_file(tmp_path: Path) -> None:
    done = run("keygen", tmp_path / "audit.key")
    assert done.exit_code == 0
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in done.output
    root = tmp_path / "log"
    from consumers.audit.signing import SigningKey

    write(root, SigningKey.of_setting(f"file:{tmp_path}/audit.key"), entries(1, 3))
    assert run("verify", root, "--key", tmp_path / "audit.key.pub").exit_code == 0
    assert run("verify", root, "--key", KEY.public_key).exit_code == 1


def test_keygen_never_overwrites_a_key(tmp_path: Path) -> None:
    run("keygen", tmp_path / "audit.key")
    before = (tmp_path / "audit.key").read_bytes()
    assert run("keygen", tmp_path / "audit.key").exit_code == 1
    assert (tmp_path / "audit.key").read_bytes() == before


def test_a_key_in_one_line_suits_an_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consumers.audit.signing import SigningKey, generate

    public = generate(tmp_path / "audit.key")
    one_line = "".join((tmp_path / "audit.key").read_text().splitlines()[1:-1])
    monkeypatch.setenv("AUDIT_KEY", one_line)
    key = SigningKey.of_setting("env:AUDIT_KEY")
    assert key is not None
    assert key.public_key == public


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--event", event_id(7)], {7}),
        (["--portal", OTHER_PORTAL], set(range(21, 31))),
        (["--portal", MEMBER, "--from", "2026-11-21"], set(range(11, 21))),
        (["--portal", MEMBER, "--to", "2026-11-21T12:00Z"], set(range(1, 11))),
        (["--from", "2026-11-20T11:59:59", "--to", "2026-11-20T12:00:00.001"], set(range(1, 11))),
        (["--subject", "comment/7"], {7}),
        (["--type", "comment.*", "--subject", "comment/13"], {13}),
        (["--type", "crm.deal.*"], set()),
        (["--from", "2026-11-22"], set()),
        (["--event", event_id(99)], set()),
    ],
)
def test_show_finds_records(root: Path, options: list[str], expected: set[int]) -> None:
    done = run("show", *options, "--dir", root, "--json")
    assert done.exit_code == (0 if expected else 1)
    records = [msgspec.json.decode(line) for line in done.output.splitlines()]
    assert {record["event"]["data"]["comment_id"] for record in records} == expected


def test_show_says_where_a_record_stands(root: Path) -> None:
    done = run("show", "--event", event_id(7), "--dir", root)
    assert "crm.timeline.comment.updated  comment/7" in done.output
    assert "events-0/2026-11-20.jsonl:8" in done.output


@pytest.fixture
def proof(root: Path, tmp_path: Path) -> Path:
    done = run("prove", event_id(13), "--dir", root)
    assert done.exit_code == 0, done.output
    path = tmp_path / "proof.json"
    path.write_text(done.output)
    return path


def test_a_proof_convinces_without_the_log(proof: Path) -> None:
    done = run("verify-proof", proof, "--key", KEY.public_key)
    assert done.exit_code == 0, done.output
    assert "of events-0 was recorded at 2026-11-21T12:00:00.000Z" in done.output


def test_a_proof_shows_no_other_event(proof: Path) -> None:
    text = proof.read_text()
    assert event_id(13) in text
    assert event_id(12) not in text
    assert event_id(14) not in text


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: {**proof, "record": proof["record"].replace("comment/13", "comment/14")},
        lambda proof: {**proof, "path": proof["path"][:-1]},
        lambda proof: {**proof, "path": [{"side": "left", "hash": "zz"}]},
        lambda proof: {**proof, "checkpoint": proof["checkpoint"].replace('"seq":', '"seq":1')},
        lambda proof: {**proof, "checkpoint": proof["record"]},
        lambda _: {},
    ],
)
def test_a_changed_proof_proves_nothing(
    proof: Path, change: Callable[[dict[str, object]], object]
) -> None:
    changed = change(msgspec.json.decode(proof.read_bytes()))
    proof.write_bytes(msgspec.json.encode(changed))
    assert run("verify-proof", proof).exit_code == 1


def test_a_proof_signed_by_somebody_else_proves_nothing(proof: Path) -> None:
    done = run("verify-proof", proof, "--key", a_key().public_key)
    assert done.exit_code == 1
    assert "which was not given" in done.output


def test_openssl_agrees_with_a_proof(proof: Path, tmp_path: Path) -> None:
    """The steps that docs/audit.md gives to somebody who does not trust this program."""
    from consumers.audit.signing import public_key_pem

    checkpoint: str = msgspec.json.decode(proof.read_bytes())["checkpoint"]
    signed, _, rest = checkpoint.rpartition(',"signature":"')
    (tmp_path / "signed").write_text(signed)
    (tmp_path / "signature").write_bytes(bytes.fromhex(rest[:128]))
    (tmp_path / "key.pub").write_bytes(public_key_pem(KEY.public_key))
    openssl = ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin"]
    files = ["-inkey", "key.pub", "-in", "signed", "-sigfile", "signature"]
    try:
        done = subprocess.run(
            [*openssl, *files], cwd=tmp_path, check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("no openssl on this machine")
    assert "Verified Successfully" in done.stdout, done


def test_an_event_without_a_checkpoint_is_not_provable_yet(tmp_path: Path) -> None:
    from consumers.audit.chain import Chain
    from consumers.audit.chain_options import ChainOptions

    chain = Chain.open(tmp_path, "events", 0, ChainOptions(signer=KEY))
    chain.append(entries(1, 3))
    try:
        done = run("prove", event_id(2), "--dir", tmp_path)
        assert done.exit_code == 1
        assert "no checkpoint covers the record yet" in done.output
        chain.checkpoint()
        assert run("prove", event_id(2), "--dir", tmp_path).exit_code == 0
    finally:
        chain.close()


def test_a_log_without_a_key_proves_nothing(tmp_path: Path) -> None:
    write(tmp_path, None, entries(1, 3))
    done = run("prove", event_id(2), "--dir", tmp_path)
    assert done.exit_code == 1
    assert "not signed" in done.output
