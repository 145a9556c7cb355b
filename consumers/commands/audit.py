"""`consumers audit`: lives beside the log, and needs the library that signs."""

from gateway.errors import OperatorError

__all__ = ["command"]

try:
    from consumers.audit.commands import command
except ModuleNotFoundError as error:
    raise OperatorError(
        f"`consumers audit` needs the library {error.name!r}: "
        "pip install 'bitrix24-event-gateway[audit]'"
    ) from error
