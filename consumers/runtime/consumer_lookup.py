"""Finds the Consumer that a name on the command line stands for."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_set import ConsumerSet
from consumers.runtime.handlers import InvalidHandler
from consumers.runtime.tracebacks import since_module
from gateway.errors import OperatorError
from gateway.settings import Settings

__all__ = ["load_consumer", "load_server"]

Server = Callable[[Settings, asyncio.Event], Awaitable[None]]
"""Works until the event is set, without a group."""


def load_consumer(name: str, settings: Settings) -> Consumer | ConsumerSet:
    """The consumer `consumers.<name>` built from the settings, or the object `module:object`.

    A module is looked for in the working directory as well. Raises OperatorError if there is no
    such consumer, one of its libraries is not installed, or the module fails: then with the
    traceback from the module's own first frame on.
    """
    if ":" in name:
        return _of_module(*name.split(":", 1))
    # `runtime`, `testing` and `cli` live beside the consumers and are none.
    if not name.isidentifier() or find_spec(f"consumers.{name}") is None:
        raise OperatorError(
            f"no consumer {name!r}: give a built-in one's name, or module:object{_meant(name)}"
        )
    try:
        module = importlib.import_module(f"consumers.{name}")
        if not hasattr(module, "build"):
            raise OperatorError(f"consumers.{name} is not a consumer")
        # Which imports what these settings need.
        built: Consumer | ConsumerSet = module.build(settings)
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"consumer {name!r} needs the library {error.name!r}: "
            f"pip install 'bitrix24-event-gateway[{name}]'"
        ) from error
    return built


def load_server(name: str) -> Server | None:
    """What `consumers.<name>` serves without a group of its own, its function `serve`; None for all
    that are a Consumer, or are not there.
    """
    if not name.isidentifier() or find_spec(f"consumers.{name}") is None:
        return None
    try:
        module = importlib.import_module(f"consumers.{name}")
    except ModuleNotFoundError:  # load_consumer says which library is missing
        return None
    server: Server | None = getattr(module, "serve", None)
    return server


def _of_module(module_name: str, path: str) -> Consumer:
    _refuse_hidden(module_name)
    module = _imported(module_name)
    found: object = module
    for attribute in path.split("."):
        found = getattr(found, attribute, None)
    if not isinstance(found, Consumer):
        names = _names(module)
        meant = get_close_matches(path, names, 1, 0.1) or names[:1]
        hint = f"; did you mean {module_name}:{meant[0]}?" if meant else ""
        raise OperatorError(f"{module_name}:{path} is not a consumers.Consumer{hint}")
    return found


def _imported(module_name: str) -> ModuleType:
    """The module, from the working directory too. Raises OperatorError whatever it raises."""
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        return importlib.import_module(module_name)
    except SyntaxError as error:
        place = f"{error.filename}:{error.lineno}"
        raise OperatorError(f"module {module_name!r}: {place}: {error.msg}") from error
    except InvalidHandler as error:
        raise OperatorError(f"module {module_name!r}: {error}") from error
    except ModuleNotFoundError as error:
        if error.name is not None and module_name.startswith(error.name):
            raise OperatorError(f"module {module_name!r}: {error}") from error
        raise OperatorError(f"module {module_name!r}: {since_module(error)}") from error
    except Exception as error:
        raise OperatorError(f"module {module_name!r}: {since_module(error)}") from error


def _refuse_hidden(module_name: str) -> None:
    """A module of one's own with the name of one of our packages is not found at all."""
    top = module_name.partition(".")[0]
    if top in {"consumers", "gateway"} and Path(f"{top}.py").exists():
        raise OperatorError(
            f"{top}.py has the name of a package of the gateway, which hides it: rename it"
        )


def _names(module: ModuleType) -> list[str]:
    """The names of the consumers in a module."""
    return [name for name, value in vars(module).items() if isinstance(value, Consumer)]


def _meant(name: str) -> str:
    """What a module in the working directory has to offer, if it is one."""
    if not Path(f"{name.replace('.', '/')}.py").exists():
        return ""
    names = _names(_imported(name))
    return f"; did you mean {name}:{names[0]}?" if names else f"; {name}.py has no Consumer in it"
