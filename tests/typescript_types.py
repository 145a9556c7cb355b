"""Writes docs/schema/events.d.ts: the events as types of TypeScript, made of their JSON Schema.

`python -m tests.typescript_types FILE` writes it where the programs on Node.js are installed;
elsewhere it says so, and leaves the file.

What TypeScript needs and JSON Schema does not say: that a type that narrows is a literal in each of
the alternatives.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from gateway.contract.http_schemas import feed_schemas
from gateway.contract.json_schema import ENTITY_TYPES, json_schema
from tests.support.node_tools import NodeTools, find_node_tools

__all__ = ["digest", "generated"]

_NUMBER: Final = "{entity_type_id}"
_BANNER: Final = """\
/**
 * The events of the gateway, for programs in TypeScript. Made of docs/schema/events.schema.json:
 * do not edit.
 *
 * `if (event.type === "bitrix24.crm.timeline.comment.added")` makes a `CommentEvent` of a
 * `GatewayEvent`. A type that your settings declare is one of your own:
 * `Omit<EntityEvent, "type"> & { type: "bitrix24.acme.order.updated" }`. Ignore events of types,
 * and fields, that you do not know: both may be added.
 *
 * Ids have up to 64 bits, of which `JSON.parse` keeps 53; those of Bitrix24 are far below.
 */
// Schema: """
_PROGRAM: Final = """
const { compile } = require("json-schema-to-typescript");
const { schema, others, options } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const all = [compile(schema, "GatewayEvent", options)];
for (const [name, one] of Object.entries(others))
  all.push(compile(one, name, { ...options, bannerComment: "" }));
Promise.all(all).then(
  (texts) => process.stdout.write(texts.join("\\n")),
  (error) => { console.error(error); process.exit(1); },
);
"""


def digest() -> str:
    """What the file has to say that it was made of."""
    return sha256(json.dumps(_source(), sort_keys=True).encode()).hexdigest()


def generated(tools: NodeTools) -> str:
    """The file's text. Raises RuntimeError if the program cannot make it."""
    options = {
        "additionalProperties": False,
        "bannerComment": f"{_BANNER}{digest()}",
        "style": {"printWidth": 100},
    }
    others = feed_schemas({"tsType": "GatewayEvent"})
    program = json.dumps({"schema": _source(), "others": others, "options": options})
    done = tools.run("-e", _PROGRAM, text=program)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def _source() -> dict[str, Any]:
    """The schema with what only TypeScript is told."""
    schema = json_schema()
    schema["title"] = "GatewayEvent"
    found = schema["$defs"]
    for definition in found.values():
        for name, field in definition.get("properties", {}).items():
            if field.get("type") == "object" and "additionalProperties" not in field:
                definition["properties"][name] = {**field, "additionalProperties": True}
    found["EntityType"] = {
        "title": "EntityType",
        "description": "The types of the catalogue that tell of an entity of a portal.",
        "tsType": " | ".join(map(_literal, ENTITY_TYPES)) or "never",
    }
    found["EntityEvent"]["properties"]["type"] = {"$ref": "#/$defs/EntityType"}
    found["OtherEvent"]["properties"]["type"] = {"type": "string", "tsType": "`gateway.${string}`"}
    return schema


def _literal(event_type: str) -> str:
    if _NUMBER in event_type:
        return f"`{event_type.replace(_NUMBER, '${number}')}`"
    return f'"{event_type}"'


def main(file: Path) -> None:
    """Write the file, if that can be done here."""
    tools = find_node_tools()
    if tools is None:
        print(f"{file} is left as it is: `make node-tools` installs what makes it")
    else:
        file.write_text(generated(tools))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
