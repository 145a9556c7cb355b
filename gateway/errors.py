"""Defines the root of the gateway's exceptions; each subclass's name says who has to act."""

__all__ = ["BackgroundFailed", "GatewayError", "OperatorError", "SettingsError"]


class GatewayError(Exception):
    """Anything that the gateway raises on purpose."""


class OperatorError(GatewayError):
    """The operator has to change something before the process can start; shown without a trace."""


class SettingsError(OperatorError):
    """Settings that cannot be used; one line per fault, each naming its key."""


class BackgroundFailed(GatewayError):
    """The process had to end, because something in its background did; the log says why."""
