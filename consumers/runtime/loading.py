"""Finding the Consumer that a name on the command line stands for."""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

from consumers.runtime.consumer import Consumer
from gateway.errors import OperatorError
from gateway.settings import Settings

__all__ = ["load_consumer"]


def load_consumer(name: str, settings: Settings) -> Consumer:
    """The consumer `consumers.<name>` built from the settings, or the object `module:object`.

    A module is looked for in the working directory as well. Raises OperatorError if there is no
    such consumer, or one of its libraries is not installed.
    """
    if ":" in name:
        return _of_module(*name.split(":", 1))
    # `runtime`, `testing` and `cli` live beside the consumers and are none.
    if not name.isidentifier() or find_spec(f"consumers.{name}") is None:
        raise OperatorError(f"no consumer {name!r}: give a built-in one's name, or module:object")
    try:
        module = importlib.import_module(f"consumers.{name}")
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"consumer {name!r} needs the library {error.name!r}: "
            f"pip install 'bitrix24-event-gateway[{name}]'"
        ) from error
    if not hasattr(module, "build"):
        raise OperatorError(f"consumers.{name} is not a consumer")
    built: Consumer = module.build(settings)
    return built


def _of_module(module_name: str, path: str) -> Consumer:
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise OperatorError(f"module {module_name!r}: {error}") from error
    for attribute in path.split("."):
        found = getattr(found, attribute, None)
    if not isinstance(found, Consumer):
        raise OperatorError(f"{module_name}:{path} is not a consumers.Consumer")
    return found
