"""`consumers audit …`: keys, verification, search and proofs."""

import sys
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from consumers.audit import signing
from consumers.audit.anchoring import anchors_in
from consumers.audit.argument_types import AnchorType, RecordType
from consumers.audit.chain_verification import verify_chain
from consumers.audit.day_files import chains
from consumers.audit.findings import Anchor, ChainFault, ChainReport
from consumers.audit.proofs import InvalidProof, NotProvable, check, prove, read
from consumers.audit.record_search import Hit, RecordQuery, search
from gateway.commandline import settings_of
from gateway.moments import Moment
from gateway.terminal import indented_json, printable

__all__ = ["command"]

_Json = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
_Keys = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="PUBLIC",
    help="The public key that must have signed: a PEM file, or hexadecimal. May be repeated.",
)
_Dir = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="The log; default: the setting [audit] dir.",
)


@click.group("audit")
def command() -> None:
    r"""Check the audit log, look into it, and prove what it holds.

    More: docs/audit.md.

    \b
    consumers audit verify var/audit
    consumers audit show --event 01a20519-8d87-7177-989d-ac8da4341f00
    """


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
def keygen(file: Path) -> None:
    r"""Make an Ed25519 key: the private one in FILE, the public one in FILE.pub.

    More: docs/audit.md.

    \b
    consumers audit keygen audit.key
    consumers audit keygen /etc/gateway/audit.key
    """
    public = signing.generate(file)
    click.echo(f"private key   {file}   keep it off the machine's backups of the log")
    click.echo(f"public key    {file}.pub   give it to whoever verifies")
    click.echo(f"              {public}")
    click.echo(f'\n[audit]\nsigning_key = "file:{file.absolute()}"')


@command.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_Keys
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=AnchorType(),
    metavar="CHAIN:SEQ:HASH",
    help="A record that has to be there, noted earlier and elsewhere. May be repeated.",
)
@click.option(
    "--anchors",
    "anchor_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The file that [audit] anchor_file named: all of its records have to be there.",
)
@click.option(
    "--known-gap",
    "known_gaps",
    multiple=True,
    type=RecordType(),
    metavar="CHAIN:SEQ",
    help="A record that tells of missing entries, which is no news. May be repeated.",
)
@click.option("--partitions", type=click.IntRange(min=1), help="How many chains have to be there.")
@_Json
def verify(
    directory: Path,
    *,
    keys: tuple[str, ...],
    anchors: tuple[Anchor, ...],
    anchor_file: Path | None,
    known_gaps: tuple[tuple[str, int], ...],
    partitions: int | None,
    as_json: bool,
) -> None:
    r"""Check the log in DIRECTORY; exit code 1 if it is not whole.

    Names the first record of each partition that is changed, missing or out of order. More:
    docs/audit.md.

    \b
    consumers audit verify var/audit
    consumers audit verify var/audit --key audit.key.pub --anchors anchors.txt
    """
    known = {signing.public_key(key) for key in keys}
    noted = [*anchors, *(anchors_in(anchor_file) if anchor_file else ())]
    reports = [
        verify_chain(
            chain,
            keys=known,
            anchors=[anchor for anchor in noted if anchor.chain == chain.name],
            known_gaps=[seq for name, seq in known_gaps if name == chain.name],
        )
        for chain in chains(directory)
    ]
    expected = {f"events-{number}" for number in range(partitions or (0 if reports else 1))}
    missing = expected.union(anchor.chain for anchor in noted) - {it.chain for it in reports}
    reports += [
        ChainReport(chain=name, fault=ChainFault(what="missing", file=name, detail="no such chain"))
        for name in sorted(missing)
    ]
    is_whole = all(report.is_whole for report in reports)
    if as_json:
        answer = {"is_whole": is_whole, "chains": reports}
        click.echo(indented_json(answer))
    else:
        for report in reports:
            _print_report(report, has_keys=bool(known))
        click.echo(f"{directory}: {'whole' if is_whole else 'NOT WHOLE'}")
    sys.exit(0 if is_whole else 1)


def _print_report(report: ChainReport, *, has_keys: bool) -> None:
    if report.fault is not None:
        click.echo(f"{report.chain}/{report.fault}")
    else:
        click.echo(
            f"{report.chain}: {report.events} events in {report.records} records, "
            f"{report.files} files, {report.first_day} to {report.last_day}"
        )
        if report.first_seq > 1:
            click.echo(f"  records 1 to {report.first_seq - 1} were removed by retention")
        click.echo(f"  {report.signed_count} of {report.checkpoints} checkpoints are signed")
        click.echo(f"  anchor {report.anchor}")
        for key in report.keys:
            click.echo(f"  signed by {key}{'' if has_keys else ' (is it yours? --key makes sure)'}")
    for note in report.notes:
        click.echo(f"  {note}")


@command.command()
@click.option("--event", "event_id", metavar="ID", help="The event's id.")
@click.option("--portal", "member_id", metavar="ID", help="The portal's member_id.")
@click.option("--type", "event_type", metavar="PATTERN", help="The type, as crm.deal.*")
@click.option("--subject", metavar="KIND/ID", help="What it is about, as deal/77.")
@click.option("--from", "since", type=Moment(), help="Recorded at this time or later.")
@click.option("--to", "until", type=Moment(), help="Recorded before this time.")
@_Dir
@_Json
@click.pass_context
def show(
    context: click.Context,
    *,
    event_id: str | None,
    member_id: str | None,
    event_type: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    directory: Path | None,
    as_json: bool,
) -> None:
    r"""Find records; --json gives their exact lines. Exit code 1 if there are none.

    More: docs/audit.md.

    \b
    consumers audit show --event 01a20519-8d87-7177-989d-ac8da4341f00
    consumers audit show --type crm.deal.* --subject deal/77 --from 2h --json
    """
    wanted = RecordQuery(
        event_id=event_id,
        member_id=member_id,
        type=event_type,
        subject=subject,
        since=since,
        until=until,
    )
    count = 0
    for count, hit in enumerate(search(_directory(context, directory), wanted), 1):
        if as_json:
            click.echo(hit.line)
            continue
        if count == 1:
            click.echo(_row("RECORDED", "RECORD", "TYPE", "SUBJECT", "PORTAL", "EVENT", "PLACE"))
        click.echo(_row_of(hit))
    sys.exit(0 if count else 1)


def _row_of(hit: Hit) -> str:
    return _row(
        hit.record.recorded_at,
        str(hit.record.seq),
        hit.event.type.removeprefix("bitrix24."),
        hit.event.subject,
        hit.event.source.removeprefix("urn:bitrix24:"),
        hit.event.id,
        f"{hit.chain}/{hit.file}:{hit.number}",
    )


def _row(*cells: str) -> str:
    widths = (24, 8, 28, 16, 32, 36, 0)
    return "  ".join(
        printable(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)
    )


@command.command("prove")
@click.argument("event_id")
@_Dir
@click.pass_context
def prove_command(context: click.Context, event_id: str, *, directory: Path | None) -> None:
    r"""Print, as JSON, what a third party needs to check that an event is in the log.

    More: docs/audit.md.

    \b
    consumers audit prove 01a20519-8d87-7177-989d-ac8da4341f00
    consumers audit prove 01a20519-8d87-7177-989d-ac8da4341f00 --dir var/audit
    """
    root = _directory(context, directory)
    hit = next(search(root, RecordQuery(event_id=event_id)), None)
    if hit is None:
        raise click.ClickException(f"no record of the event {event_id}")
    try:
        proof = prove(root, hit)
    except NotProvable as error:
        raise click.ClickException(str(error)) from error
    click.echo(msgspec.json.format(msgspec.json.encode(proof)))


@command.command("verify-proof")
@click.argument("file", type=click.File("rb"))
@_Keys
@_Json
def verify_proof(file: BinaryIO, *, keys: tuple[str, ...], as_json: bool) -> None:
    r"""Check a proof that `prove` printed; FILE may be `-`. Exit code 1 if it proves nothing.

    More: docs/audit.md.

    \b
    consumers audit verify-proof proof.json
    consumers audit verify-proof proof.json --key audit.key.pub
    """
    try:
        record, checkpoint = check(
            read(file.read()), keys={signing.public_key(key) for key in keys}
        )
    except InvalidProof as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.encode({"record": record, "checkpoint": checkpoint}))
        return
    click.echo(
        f"record {record.seq} of {checkpoint.chain} was recorded at {record.recorded_at}, and "
        f"signed for in record {checkpoint.seq} at {checkpoint.recorded_at} by {checkpoint.key}"
    )
    if not keys:
        click.echo("is it the right key? --key makes sure")


def _directory(context: click.Context, given: Path | None) -> Path:
    return given or Path(settings_of(context).audit.dir)
