"""`consumers feed …`: making tokens for those who read the feed."""

import click
import msgspec

from consumers.feed.access_tokens import AccessTokens, digest_of, new_token
from gateway.errors import OperatorError
from gateway.settings import FeedTokenSettings

__all__ = ["command"]


@click.group("feed")
def command() -> None:
    r"""Make a token for a reader of the feed.

    More: docs/feed.md.

    \b
    consumers feed token --name crm-sync
    consumers feed token --name crm-sync --type 'bitrix24.crm.*' --texts
    """


@command.command("token")
@click.option("--name", required=True, help="What logs and metrics call whoever has it.")
@click.option("--portal", "portals", multiple=True, metavar="MEMBER_ID", help="Only this portal.")
@click.option("--type", "types", multiple=True, help="Only this type; * for any text.")
@click.option("--texts", is_flag=True, help="With texts of comments, fields and objects.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def token(
    *, name: str, portals: tuple[str, ...], types: tuple[str, ...], texts: bool, as_json: bool
) -> None:
    r"""Make a token, and print it with the settings that let its holder in.

    The token is shown this once and kept nowhere: the settings have its digest. More: docs/feed.md.

    \b
    consumers feed token --name crm-sync
    consumers feed token --name search --portal 010b6886ebc205e43ae65000ee00addb --texts
    """
    made = new_token()
    given = {
        "name": name,
        "digests": [digest_of(made)],
        "portals": list(portals),
        "types": list(types),
        "texts": texts,
    }
    try:
        AccessTokens([msgspec.convert(given, FeedTokenSettings)])
    except msgspec.ValidationError as error:
        raise OperatorError(f"no such token can be made: {error}") from error
    if as_json:
        click.echo(msgspec.json.encode({"token": made, "settings": given}))
        return
    click.echo("The token, which is shown only now; its holder sends it as a header:\n")
    click.echo(f"    Authorization: Bearer {made}\n")
    click.echo("For the settings of the feed, which is to be started anew then:\n")
    click.echo("    [[feed.tokens]]")
    for key, value in given.items():
        if value or key == "texts":
            click.echo(f"    {key} = {msgspec.json.encode(value).decode()}")
