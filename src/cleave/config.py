"""Recipes: read, changed from the command line, checked against the space, and resolved to what will run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from cleave.errors import UserError, unknown
from cleave.settings import DartsSettings, Recipe, RspsSettings, Settings

Raw = dict[str, Any]
Kind = TypeVar("Kind", bound=Settings)


def load_recipe(path: Path | None, changes: Iterable[str], flags: Mapping[str, Any]) -> Recipe:
    """The defaults, changed by the recipe file, then by `key=value` changes, then by the flags that were given.

    Keys are dotted ("space.channels"). UserError names the key or the file.
    """
    raw = read_yaml(path) if path else {}
    for change in changes:
        put(raw, *parse_change(change))
    for key, value in flags.items():
        if value is not None:
            put(raw, key, value)
    return checked(Recipe, raw)


def read_yaml(path: Path) -> Raw:
    """A YAML file that holds one mapping."""
    try:
        raw = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a recipe is a mapping of keys, not {type(raw).__name__}")
    return raw


def parse_change(change: str) -> tuple[str, Any]:
    """ "key=value" with the value as YAML."""
    key, equals, value = change.partition("=")
    if not equals or not key:
        raise UserError(f"--set {change!r}: write key=value, as in --set search.epochs=5")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {key}: {value!r} is not a value ({' '.join(str(error).split())})") from error


def put(raw: Raw, key: str, value: Any) -> None:  # noqa: ANN401
    """Sets a dotted key, making the mappings on the way."""
    *outer, last = key.split(".")
    for name in outer:
        inner = raw.setdefault(name, {})
        if not isinstance(inner, dict):
            raise UserError(f"{key}: {name} holds {inner!r} in the recipe, so nothing can be set below it")
        raw = inner
    raw[last] = value


def checked(model: type[Kind], raw: Raw) -> Kind:
    """The settings of a raw mapping; UserError names the first key that is wrong."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise UserError(explain(model, error)) from error


def explain(model: type[Settings], error: ValidationError) -> str:
    """The first mistake of a validation error in one line that begins with its key."""
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    # Under `method` pydantic also names the variant that it checked against.
    location = [
        part for i, part in enumerate(parts) if not (i == 1 and parts[0] == "method" and len(parts) > 2)
    ]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        return str(unknown("recipe", key, known_keys(model)))
    if first["type"] == "union_tag_invalid":
        return str(
            unknown(
                f"{key}.name", first["ctx"]["tag"], first["ctx"]["expected_tags"].replace("'", "").split(", ")
            )
        )
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}"


def known_keys(model: type[Settings], prefix: str = "") -> list[str]:
    """Every dotted key of the settings; those of all methods."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        kinds: Sequence[Any] = (DartsSettings, RspsSettings) if name == "method" else (field.annotation,)
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)]
        keys += [key for kind in inner for key in known_keys(kind, f"{prefix}{name}.")] or [f"{prefix}{name}"]
    return sorted(set(keys))
