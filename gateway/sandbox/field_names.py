"""Turns the names of fields from one of a portal's manners into the other: `STAGE_ID`, `stageId`.

https://apidocs.bitrix24.com/api-reference/crm/universal/object-fields.html. The names of custom
fields keep their numbers apart: `UF_CRM_2_1639669411830` is `ufCrm2_1639669411830`. Pure.
"""

import re
from typing import Final

__all__ = ["camel_case", "capitals"]

_CUSTOM: Final = re.compile(r"UF_CRM_(?:(\d+)_)?(\d+)")
_CUSTOM_CAMEL: Final = re.compile(r"ufCrm(\d*)_(\d+)")
_PARENT: Final = re.compile(r"PARENT_ID_(\d+)")
_PARENT_CAMEL: Final = re.compile(r"parentId_?(\d+)")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def camel_case(name: str) -> str:
    """`STAGE_ID` as `stageId`."""
    if (custom := _CUSTOM.fullmatch(name)) is not None:
        return f"ufCrm{custom[1] or ''}_{custom[2]}"
    if (parent := _PARENT.fullmatch(name)) is not None:
        return f"parentId{parent[1]}"
    first, *others = name.lower().split("_")
    return first + "".join(other.capitalize() for other in others)


def capitals(name: str) -> str:
    """`stageId` as `STAGE_ID`; a name in capitals stays as it is."""
    if (custom := _CUSTOM_CAMEL.fullmatch(name)) is not None:
        return f"UF_CRM_{custom[1]}_{custom[2]}" if custom[1] else f"UF_CRM_{custom[2]}"
    if (parent := _PARENT_CAMEL.fullmatch(name)) is not None:
        return f"PARENT_ID_{parent[1]}"
    return name if name.isupper() else _HUMP.sub("_", name).upper()
