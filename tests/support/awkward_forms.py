"""Forms of an event about a deal that nobody expects, and what each has to become."""

from typing import Final
from urllib.parse import urlencode

from tests.support.catalogue_bodies import MEMBER_ID, PORTAL_DOMAIN, TOKEN

__all__ = ["AWKWARD_FORMS", "LONG_MESSAGE", "body_of"]

_ID: Final = "data[FIELDS][ID]"


def body_of(data: str, *, event: str = "ONCRMDEALUPDATE") -> bytes:
    """A genuine delivery that says this under `data`."""
    auth = {"domain": PORTAL_DOMAIN, "member_id": MEMBER_ID, "application_token": TOKEN}
    pairs = urlencode({f"auth[{name}]": value for name, value in auth.items()})
    return f"event={event}&{data}&ts=1795860000&{pairs}".encode()


AWKWARD_FORMS: Final[dict[str, tuple[str, str]]] = {
    "without data": ("x=1", "deal"),
    "a text for data": ("data=77", "deal"),
    "nothing for data": ("data=", "deal"),
    "a list for data": ("data[]=77", "deal"),
    "a text for fields": ("data[FIELDS]=77", "deal"),
    "an id of 0": (f"{_ID}=0", "deal"),
    "a negative id": (f"{_ID}=-5", "deal"),
    "an empty id": (f"{_ID}=", "deal"),
    "an id in a list": (f"{_ID}[]=77", "deal"),
    "an id with a slash": (f"{_ID}=a/b", "deal"),
    "an id that leads up": (f"{_ID}=..", "deal"),
    "an id with a line": (f"{_ID}=77%0Ax", "deal"),
    "an id with a NUL": (f"{_ID}=77%00", "deal"),
    "an id in Arabic digits": (f"{_ID}=%D9%A7", "deal"),
    "an id with braces": (f"{_ID}=%7B0%7D", "deal"),
    "an id of 70 digits": (f"{_ID}={'9' * 70}", "deal"),
    "an id beyond 64 bits": (f"{_ID}={'9' * 20}", f"deal/{'9' * 20}"),
    "an id with zeros in front": (f"{_ID}=007", "deal/007"),
    "an id of letters": (f"{_ID}=DT1036_14:NEW", "deal/DT1036_14:NEW"),
    "an id twice": (f"{_ID}=1&{_ID}=2", "deal/2"),
    "a text, then an array": (f"{_ID}=1&{_ID}[x]=2", "deal"),
    "an array, then a text": (f"{_ID}[x]=1&{_ID}=2", "deal/2"),
    "a thousand leaves": (
        "&".join([f"{_ID}=77", *(f"data[FIELDS][n{number}]=x" for number in range(990))]),
        "deal/77",
    ),
    "as deep as may be": (f"{_ID}=77&data{'[a]' * 12}=1", "deal/77"),
    "a list with holes": (f"{_ID}=77&data[x][0]=a&data[x][7]=b&data[x][]=c", "deal/77"),
    "the last index": (f"{_ID}=77&data[x][9223372036854775807]=a&data[x][]=b", "deal/77"),
    "no UTF-8": (f"{_ID}=77&data[x]=%ff%fe%ed%a0%80", "deal/77"),
    "control characters": (f"{_ID}=77&data[x]={'%01' * 20_000}", "deal/77"),
    "a name of 5,000 characters": (f"{_ID}=77&data[{'n' * 5_000}]=1", "deal/77"),
    "names with control characters": (f"{_ID}=77&data[a%01b]=1&data[a%0Ab]=1", "deal/77"),
    "half a megabyte as JSON": (f"{_ID}=77&data[x]={'%22%5C' * 10_000}", "deal/77"),
    "too deep": (f"{_ID}=77&data{'[a]' * 13}=1", "too_deep"),
    "3,000 deep": (f"{_ID}=77&data{'[a]' * 3_000}=1", "too_deep"),
    "too many leaves": (
        "&".join(f"data[x][{number}]=1" for number in range(1_001)),
        "too_many_keys",
    ),
    "a name that is no UTF-8": (f"{_ID}=77&data[%ff]=1", "name_not_utf8"),
}
"""What stands under `data`, and the subject of the event, or why it is refused."""

LONG_MESSAGE: Final = body_of(
    urlencode({"data[message][id]": 84331, "data[message][text]": "Ж" * 20_000}),
    event="ONIMBOTV2MESSAGEADD",
)
"""The longest that somebody can say to a bot."""
