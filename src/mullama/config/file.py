"""A configuration file, TOML or JSON: options of a server, and of each of its models.

    [server]              options of the server
    port = 8080
    [model]               options of every model; with a `path`, it is a model itself
    context_size = 8192
    [cache]               options of every model that begin with `cache_`
    ram = "2GiB"
    [models.chat]         a model by its name: its `path`, and what it has of its own
    path = "chat.gguf"

Names are the options' own, or those of `names.py`. What is not understood is an error that names
the place: nothing is ignored. Paths are relative to the file.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from mullama.config import ModelOptions, ServerOptions
from mullama.config.names import (
    ALWAYS_SO,
    CACHE,
    DISK_CACHE,
    OTHER_NAMES,
    REFUSED,
    SPLIT_MODES,
)
from mullama.errors import InvalidRequest

Kind = TypeVar("Kind", ServerOptions, ModelOptions)

_SECTIONS = ("server", "model", "models", "cache", "disk_cache")
_PARTS = {"cache": CACHE, "disk_cache": DISK_CACHE}  # what a model's section has within it
_OWN = ("path", "alias", *_PARTS)  # what it has beside options
_JOINED = ("cors_origins", "device", "override_tensor", "tensor_split")  # lists, or with commas
_SIZES = ("cache_ram", "cache_disk")
_FEW = 10  # names that are listed where none is near
_TEXTS = ("chat_template", "response_schema")  # or @ and a path


@dataclass(frozen=True, slots=True)
class ConfiguredModel:
    """A model of a file. `path` is as it is written there; `name` is None where none is given."""

    name: str | None
    path: str
    options: ModelOptions


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file says. Paths are relative to `folder`; `shared` is for models that it has not."""

    folder: Path
    server: ServerOptions
    shared: ModelOptions
    models: tuple[ConfiguredModel, ...]


def read(path: Path) -> Configuration:
    """The configuration in a file: JSON if its name ends in .json, else TOML.

    Raises InvalidRequest for a file that can't be read, and for what is wrong in it.
    """
    document = _Section(path, (), _parsed(path))
    document.has_only(_SECTIONS, "section")
    server, common, listed = map(document.section, ("server", "model", "models"))
    shared = common.options(ModelOptions)
    for part, names in _PARTS.items():
        document.section(part).put_all(names, shared)
    models = []
    if "path" in common.values:
        models.append(common.model(common.text("alias"), shared))
    elif "alias" in common.values:
        raise common.wrong("has an `alias` but no `path`: give the path of the GGUF file")
    for name in listed.values:
        section = listed.section(name)
        if "alias" in section.values:
            raise section.wrong(f"needs no `alias`: the model is called {name!r}")
        models.append(section.model(name, {**shared, **section.options(ModelOptions)}))
    return Configuration(
        path.parent,
        server.made(ServerOptions, server.options(ServerOptions)),
        common.made(ModelOptions, shared),
        tuple(models),
    )


def _parsed(path: Path) -> dict[str, Any]:
    form = "JSON" if path.suffix == ".json" else "TOML"
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if form == "JSON" else tomllib.loads(text)
    except OSError as error:
        what = f"can't be read: {error.strerror}"
        raise InvalidRequest(f"The configuration file {path} {what}.", param="config") from error
    except (ValueError, RecursionError) as error:  # not UTF-8 either
        raise InvalidRequest(f"{path} is not {form}: {error}", param="config") from error
    if not isinstance(found, dict):
        raise InvalidRequest(f"{path} must be an object with sections.", param="config")
    return found


@dataclass(frozen=True, slots=True)
class _Section:
    """A table of a file, and where it stands."""

    file: Path
    keys: tuple[str, ...]
    values: Mapping[str, Any]

    def section(self, name: str) -> _Section:
        """The section within this one; empty where it is left out."""
        found = self.values.get(name)
        inner = _Section(self.file, (*self.keys, name), {} if found is None else found)
        if not isinstance(inner.values, dict):
            raise inner.wrong("must be a section")
        return inner

    def wrong(self, what: str) -> InvalidRequest:
        place = f"{self.file}: {'.'.join(self.keys)}" if self.keys else str(self.file)
        return InvalidRequest(f"{place} {what}{'' if what[-1] in '.?' else '.'}", param="config")

    def has_only(self, known: Collection[str], what: str) -> None:
        for name in self.values:
            if name not in known:
                if near := get_close_matches(name, known, 1):
                    hint = f"did you mean {near[0]!r}?"
                elif len(known) <= _FEW:
                    hint = f"it can have {', '.join(known)}"
                else:
                    hint = "docs/config.md lists them"
                raise self.wrong(f"has no {what} {name!r}; {hint}")

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise self.wrong(f"has {name} = {value!r}, which must be a text")
        return value

    def model(self, name: str | None, options: Mapping[str, Any]) -> ConfiguredModel:
        path = self.text("path")
        if path is None:
            raise self.wrong("has no `path`: give the path of its GGUF file")
        return ConfiguredModel(name, path, self.made(ModelOptions, options))

    def made(self, kind: type[Kind], given: Mapping[str, Any]) -> Kind:
        try:
            return kind(**given)
        except InvalidRequest as error:
            raise self.wrong(f"is wrong: {error.message}") from error

    def options(self, kind: type[Any]) -> dict[str, Any]:
        """This section's options, under their own names."""
        names = {item.name: item.name for item in fields(kind)}
        given: dict[str, Any] = {}
        if kind is ServerOptions:
            self.put_all(names, given)
            return given
        self.has_only((*_OWN, *names, *OTHER_NAMES, *ALWAYS_SO, *REFUSED), "option")
        for name, allowed in ALWAYS_SO.items():
            if name in self.values and self.values[name] not in allowed:
                raise self.wrong(f"has {name} = {self.values[name]!r}, but {REFUSED[name]}")
        for name in REFUSED:
            if name in self.values and name not in ALWAYS_SO:
                raise self.wrong(f"has {name!r}, which {REFUSED[name]}")
        own = _Section(self.file, self.keys, self._without((*_OWN, *ALWAYS_SO)))
        own.put_all({**names, **OTHER_NAMES}, given)
        for part, inner in _PARTS.items():
            self.section(part).put_all(inner, given)
        return given

    def _without(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: value for name, value in self.values.items() if name not in names}

    def put_all(self, names: Mapping[str, str], given: dict[str, Any]) -> None:
        """Add this section's values to `given`, each as the option that `names` has for it."""
        self.has_only(names, "option")
        for name, value in self.values.items():
            option = names[name]
            if value is None:  # JSON's way to leave it out
                continue
            if option in given:
                raise self.wrong(f"has {name!r}, but {option} is given already, by another name")
            given[option] = self._converted(option, name, value)

    def _converted(self, option: str, name: str, value: Any) -> Any:
        """A value in its option's form. What has another type is left for the option to refuse."""
        if option in _JOINED and isinstance(value, list):
            return ",".join(map(str, value))
        if option in _SIZES and type(value) is int:
            return str(value)
        if option == "flash_attn" and isinstance(value, bool):
            return "on" if value else "off"
        if option == "split_mode" and type(value) is int and 0 <= value < len(SPLIT_MODES):
            return SPLIT_MODES[value]
        if option == "response_schema" and isinstance(value, dict):
            return json.dumps(value)
        if option == "chat_template" and isinstance(value, list):
            if not all(isinstance(part, str) for part in value):
                raise self.wrong(f"has a {name} with other parts than texts")
            return tuple(value)
        if option in _TEXTS and not isinstance(value, str):
            raise self.wrong(f"has a {name} that is no text")
        if option in _TEXTS and value.startswith("@"):
            return f"@{self._located(value[1:])}"
        if option == "cache_disk_path" and isinstance(value, str) and value:
            return str(self._located(value))
        return value

    def _located(self, path: str) -> Path:
        return self.file.parent / Path(path).expanduser()
