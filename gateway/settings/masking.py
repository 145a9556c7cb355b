"""Shows the settings as people may see them: references to secrets stay, secrets do not."""

import re
from typing import Any

from msgspec import inspect

from gateway.secret_references import is_reference
from gateway.secret_urls import without_password
from gateway.settings.tree import Settings

__all__ = ["masked"]

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MASK = "***"


def masked(settings: Settings) -> dict[str, Any]:
    """The tree as plain values: a literal secret is `***`, a reference to one is shown as it is.

    Of a secret URL (Apprise's hold their tokens anywhere) the scheme is left, of a URL with a
    password all but the password.
    """
    shown: dict[str, Any] = _shown(settings, inspect.type_info(Settings))
    return shown


def _shown(value: Any, kind: inspect.Type) -> Any:
    match kind:
        case inspect.Metadata(extra={"secret": "whole"}):
            return _without_secret(value)
        case inspect.Metadata(extra={"secret": "password"}):
            return without_password(value)
        case inspect.Metadata():
            return _shown(value, kind.type)
        case inspect.StructType():
            return {
                field.encode_name: _shown(getattr(value, field.name), field.type)
                for field in kind.fields
            }
        case inspect.VarTupleType():
            return [_shown(item, kind.item_type) for item in value]
        case inspect.UnionType() if value is not None:
            (present,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
            return _shown(value, present)
    return value


def _without_secret(secret: str) -> str:
    if not secret or is_reference(secret):
        return secret
    scheme = _SCHEME.match(secret)
    return f"{scheme[0] if scheme else ''}{_MASK}"
