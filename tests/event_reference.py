"""Makes docs/events.md of the catalogue: `python -m tests.event_reference docs/events.md`.

A test holds the page to it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.contract import EventType
from gateway.contract.catalogue import AREAS, CATALOGUE

__all__ = ["page"]

_REFERENCE: Final = "https://apidocs.bitrix24.com/"
_HEAD: Final = """\
# Events

Every event that Bitrix24 sends to applications and outgoing webhooks, {count} of them: as what it
is published, what it is about, what it takes to get it. There are none about disks, lists and
workflows: Bitrix24 has no such events. Those that begin with `onImV2` are sent to nobody: they are
asked for, by `im.v2.Event.get`.

{areas}

## Taking them

Without a word in the settings, the three events of timeline comments are taken.
[`[[events]]`](settings.md#events) says what is taken instead, by name or by pattern; of several
tables that fit an event, the last one counts. With `fetch`, the enricher asks for the object, once
for all consumers ([enricher.md](enricher.md#other-objects)):

```toml
[[events]]
name = "onCrmTimelineComment*"

[[events]]
name = "onCrmDeal*"

[[events]]
name = "onCrmDealUpdate"
fetch = "crm.item.get"

[[events]]
name = "onTask*"
```

The events of the application itself (`app`, below) are taken in any case. Everything else that
arrives is answered with 200 and left alone.

An event arrives only if the portal has it bound, too. What an application is to get is bound when
it is installed, and it needs the right in the column *Right*. In an outgoing webhook, an
administrator ticks it ([bitrix24.md](bitrix24.md)), as far as it is offered there: what bots and
connectors are told, and what is told about an application, goes to applications alone.

What this page lacks is declared, with the type that it is published as, what it is about, and where
the id of that stands in the form:

```toml
[[events]]
name = "onAcmeMachineStop"
type = "bitrix24.acme.machine.stopped"
subject = "machine"
id = "data[MACHINE][ID]"
```

`gateway events list` says of each event whether it is taken, in which portals it is bound and
queued, and when the last one came; what is wrong with a portal, such as a right that its
application lacks, is told by `gateway portals check`. After a change of `[[events]]` start the
processes again. The checkup of `gateway reconcile` then binds what is missing within the hour, and
these at once:

```sh
gateway events add --dry-run          # what would be bound, in which portal
gateway events add                    # bind all that is taken; says of each portal what came of it
gateway events remove --dry-run       # what is bound, and not taken any more
gateway events remove
```

## What an event says

```json
{"type": "bitrix24.crm.deal.updated", "subject": "deal/77", "source": "urn:bitrix24:…", …,
 "data": {"member_id": "…", "domain": "acme.bitrix24.com", "user_id": 7, "event_handler_id": 185,
          "fields": {"FIELDS": {"ID": "77"}}}}
```

The envelope is that of every event ([schema/](schema/)). In `data` are the portal, who acted and by
which binding it came, where Bitrix24 says so, and `fields`: what it said under `data`, as PHP reads
it.

* **It is text**, as PHP sends all values: `"77"`, `"1"` and `"0"` for true and false. A list of
  PHP's is a list. What is null or an empty list there does not arrive at all.
* **Mostly it is the id alone.** Ask the portal for the rest, or let `fetch` do it. What was deleted
  cannot be asked for any more.
* **No token and no key is in it.** Some events carry them inside `data`, as those of bots do: they
  are taken out by their names, with what belongs to them. So is whatever looks like a key, wherever
  it stands; within a text it becomes `***` ([decision 0026](decisions/0026-keys-by-shape.md)).
* **It is bounded**, to 64 KiB of JSON: what is too much or too deep is left out. How often that, or
  the look of a value, was the reason is counted in `b24gw_event_values_left_out_total{event}`.
* Bots and open lines say what was written and by whom, telephony has numbers, `onUserAdd` name and
  address: [personal data](personal-data.md), also in the audit log.
* Where there is nothing to say, events of tasks say `undefined`.

Events of one subject are kept in order. Where no id was said, or none that can be used, the
subject is the kind alone (`deal`), and all such events of a portal are kept in order.

**Smart processes**, and the invoices made of them (31), have a number in each portal, which stands
for `{entity_type_id}`: `bitrix24.crm.item.1036.updated`, `item.1036/77`. Bitrix24 also sends these
events by names that end in the number, as `onCrmDynamicItemUpdate_1036`: they are taken with the
others, and published as the same.

Events of comments have `comment_id` in place of `fields`, and those of the application neither. In
Python they are a `CommentEvent`, an `AppEvent`, and all others an `EntityEvent`
([consumers.md](consumers.md)).

## The tables

The names are the reference's, and link to it; those that do not link are sent and not described
there. Capitals do not matter: Bitrix24 sends all of it in capitals.

*Id* is where the subject's id stands in the form: the first of these places that has one that can
be used. Where the reference and what is sent differ, it is what is sent; of comments it is both.
What is marked with † is known of the reference alone.

*Queue* says whether the portal can keep the event in its queue for us, from which it is fetched
when nothing got through ([missed-events.md](missed-events.md)).
"""


def page() -> str:
    """The whole page as Markdown."""
    contents = " · ".join(f"[{area}](#{_anchor(area)})" for area in AREAS)
    head = _HEAD.replace("{count}", str(len(CATALOGUE))).replace("{areas}", contents)
    lines = [head]
    for area, rows in AREAS.items():
        lines += [
            f"## {area}",
            "",
            "| Event | Type | Subject | Id | Right | Queue |",
            "|---|---|---|---|---|---|",
            *(_line(row) for row in rows),
            "",
        ]
    return "\n".join(lines)


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^a-z -]", "", heading.lower()).replace(" ", "-")


def _line(row: EventType) -> str:
    name = f"[{row.documented_name}]({_REFERENCE}{row.page})" if row.page else row.documented_name
    cells = (
        name,
        f"`{row.type}`",
        ", or ".join(_subjects(row)),
        " ".join(_places(row)),
        f"`{row.scope}`" if row.scope else "",
        "yes" if row.is_queued_offline else "",
    )
    return f"| {' | '.join(cells)} |"


def _subjects(row: EventType) -> Iterator[str]:
    yield f"`{row.subject_kind}/…`" if row.id_places else f"`{row.subject_kind}`"
    for kind, _ in row.other_subjects:
        yield f"`{kind}/…`"


def _places(row: EventType) -> Iterator[str]:
    for place in (*row.id_places, *(place for _, place in row.other_subjects)):
        yield f"`{place}`{'' if row.is_confirmed else '†'}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
