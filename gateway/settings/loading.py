"""Reads the settings: a TOML file, then the environment; all faults are told at once."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import SettingsError
from gateway.event_subscription import EventSubscription
from gateway.redis_access.redis_url import RedisAddress
from gateway.secret_references import is_reference
from gateway.settings.sections.bitrix24_settings import Bitrix24Settings
from gateway.settings.sections.event_settings import EventSettings
from gateway.settings.sections.portal_settings import PortalSettings
from gateway.settings.service_links import is_service_link
from gateway.settings.tree import Settings
from gateway.settings.wording import in_words

__all__ = ["is_given", "load", "settings_file"]

_CONFIG_VARIABLE = "GATEWAY_CONFIG"
_DEFAULT_FILE = "gateway.toml"
_FAULT_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def load(config: str | None, environ: Mapping[str, str]) -> Settings:
    """Read the file `config` (else `GATEWAY_CONFIG`, else `./gateway.toml`), then the environment.

    Raises SettingsError naming every fault.
    """
    path, tree = _file(config, environ)
    return _Loading(str(path)).settings(tree, environ)


def settings_file(config: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file that `load` reads; None if it is the default and not there."""
    given = config or environ.get(_CONFIG_VARIABLE)
    path = Path(given or _DEFAULT_FILE)
    return path if given or path.exists() else None


def is_given(section: str, key: str, config: str | None, environ: Mapping[str, str]) -> bool:
    """Whether the file or the environment sets `[section] key`, be it to the default.

    Raises SettingsError if the file cannot be read.
    """
    table = _file(config, environ)[1].get(section, {})
    variable = f"GATEWAY_{section}_{key}".upper()
    is_set = variable in environ and not is_service_link(variable, environ[variable])
    return is_set or key in table


def _file(config: str | None, environ: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    """The file that is read, and what it holds: nothing, if it is the default and not there."""
    path = settings_file(config, environ)
    return (Path(_DEFAULT_FILE), {}) if path is None else (path, _read_file(path))


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error


class _Loading:
    """One reading of the settings, which collects faults on its way."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._faults: list[str] = []
        self._sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}

    def settings(self, tree: dict[str, Any], environ: Mapping[str, str]) -> Settings:
        self._faults += [
            f"{self._path}: [{name}]: unknown section; known are {', '.join(self._sections)}"
            for name in sorted(tree.keys() - self._sections.keys())
        ]
        variables = self._variables(environ)
        built = {
            name: self._section(name, tree.get(name, {}), variables.get(name, {}))
            if _is_table(kind)
            else self._tables(name, tree.get(name, []), variables.get(name))
            for name, kind in self._sections.items()
        }
        if not self._faults:
            self._refuse_contradictions(built["portals"])
            self._refuse_applications(built["bitrix24"])
            self._refuse_url(built["redis"].url)
            self._refuse_events(built["events"])
        if self._faults:
            raise SettingsError("\n".join(self._faults))
        return Settings(**built)

    def _variables(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """The variables that set something, as {section: {key: text}} or {section: text}."""
        found: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith("GATEWAY_") or variable == _CONFIG_VARIABLE:
                continue
            if is_service_link(variable, text):
                continue
            section, _, key = variable.removeprefix("GATEWAY_").lower().partition("_")
            kind = self._sections.get(section)
            if kind is not None and _is_table(kind) and key in kind.__struct_fields__:
                found.setdefault(section, {})[key] = text
            elif kind is not None and not _is_table(kind) and not key:
                found[section] = text
            else:
                self._faults.append(f"{variable}: unknown setting")
        return found

    def _section(self, name: str, table: Any, variables: dict[str, str]) -> Any:
        if not isinstance(table, dict):
            self._faults.append(f"{self._path}: [{name}] must be a table")
            return None
        section = self._sections[name]
        kinds = {field.name: field.type for field in msgspec.structs.fields(section)}
        self._faults += [
            f"{self._path}: [{name}] {key}: unknown key; known are {', '.join(kinds)}"
            for key in sorted(table.keys() - kinds.keys())
        ]
        from_file = {
            key: self._converted(table[key], kind, f"{self._path}: [{name}] {key}")
            for key, kind in kinds.items()
            if key in table and key not in variables
        }
        from_environment = {
            key: self._from_text(text, kinds[key], f"GATEWAY_{name}_{key}".upper())
            for key, text in variables.items()
        }
        return section(**from_file | from_environment)

    def _tables(self, name: str, tables: Any, variable: str | None) -> Any:
        kind = self._sections[name]
        if variable is not None:
            return self._from_text(variable, kind, f"GATEWAY_{name.upper()}")
        return self._converted(tables, kind, f"{self._path}: [[{name}]]")

    def _from_text(self, text: str, kind: Any, name: str) -> Any:
        value: Any = text
        if "tuple[" in str(kind):
            if text.lstrip().startswith("["):
                try:
                    value = msgspec.json.decode(text)
                except msgspec.DecodeError as error:
                    self._faults.append(f"{name}: not valid JSON: {error}")
                    return None
            else:
                value = [word.strip() for word in text.split(",") if word.strip()]
        return self._converted(value, kind, name, is_text=True)

    def _converted(self, value: Any, kind: Any, name: str, *, is_text: bool = False) -> Any:
        try:
            return msgspec.convert(value, kind, strict=not is_text)
        except msgspec.ValidationError as error:
            text = str(error)
            found = _FAULT_PATH.search(text)
            path = found["path"] if found else ""
            said = in_words(_FAULT_PATH.sub("", text), kind, path)
            self._faults.append(f"{name}{path}: {said}")
            return None

    def _refuse_contradictions(self, portals: tuple[PortalSettings, ...]) -> None:
        seen: set[str] = set()
        for portal in portals:
            if portal.member_id in seen:
                self._faults.append(
                    f"{self._path}: [[portals]] member_id {portal.member_id} is there twice"
                )
            seen.add(portal.member_id)

    def _refuse_applications(self, bitrix24: Bitrix24Settings) -> None:
        if bitrix24.client_id and bitrix24.applications:
            self._faults.append(
                f"{self._path}: [bitrix24] client_id: there is a list, [[bitrix24.applications]]: "
                "put this application into it, or take the list out"
            )
        for one, count in Counter(
            (one.client_id, one.authorization_server.rstrip("/")) for one in bitrix24.applications
        ).items():
            if count > 1:
                self._faults.append(
                    f"{self._path}: [[bitrix24.applications]] client_id {one[0]} is there twice "
                    f"for {one[1]}/"
                )

    def _refuse_url(self, url: str) -> None:
        """Say what is wrong with Redis's URL; one that stands elsewhere is read when needed."""
        if is_reference(url):
            return
        try:
            RedisAddress.of(url)
        except SettingsError as error:
            self._faults.append(str(error))

    def _refuse_events(self, events: tuple[EventSettings, ...]) -> None:
        try:
            EventSubscription(events)
        except SettingsError as error:
            self._faults += [f"{self._path}: {line}" for line in str(error).splitlines()]


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
