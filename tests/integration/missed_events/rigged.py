"""`gateway reconcile` that gets a signal in the middle: right before or after a certain call.

$RIGGED is `module:Class.method:before` or `…:after`, and the name of the signal; a call that has
nothing to do does not count. The signal comes once.
"""

import os
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Any

from gateway.cli import main


def after(method: Callable[..., Any]) -> str:
    """The step that is over when this method of a class returns."""
    return f"{method.__module__}:{method.__qualname__}:after"


def rig(step: str, number: signal.Signals) -> None:
    module, path, moment = step.split(":")
    class_name, method = path.split(".")
    owner = getattr(import_module(module), class_name)
    carried_out = getattr(owner, method)

    async def with_signal(self: Any, *args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            setattr(owner, method, carried_out)
            os.kill(os.getpid(), number)
        result = await carried_out(self, *args, **kwargs)
        if moment == "after" and (result is None or result):
            setattr(owner, method, carried_out)
            os.kill(os.getpid(), number)
        return result

    setattr(owner, method, with_signal)


if __name__ == "__main__":
    step, name = os.environ["RIGGED"].split()
    rig(step, signal.Signals[name])
    main()
