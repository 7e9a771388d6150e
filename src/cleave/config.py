"""Recipes: read, changed from the command line, checked against the space, and resolved to what will run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from inspect import isclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError

from cleave.errors import SHOWN, UserError, brief, shown, unknown
from cleave.files import read_text
from cleave.settings import METHOD_NAMES, Recipe, Settings
from cleave.yaml_text import LIMIT, NotYaml, parse

Raw = dict[str, Any]
Kind = TypeVar("Kind", bound=Settings)


def load_recipe(path: Path | None, changes: Iterable[str], flags: Mapping[str, Any]) -> Recipe:
    """The defaults, changed by the recipe file, then by `key=value` changes, then by the flags that were given.

    Keys are dotted ("space.channels"). UserError names the key or the file.
    """
    return load(Recipe, read_yaml(path) if path else {}, changes, flags)


def load(model: type[Kind], raw: Raw, changes: Iterable[str], flags: Mapping[str, Any]) -> Kind:
    """Settings of any kind: the defaults, changed by what was read, by `key=value` changes and by flags."""
    for change in changes:
        put(raw, *parse_change(change))
    for key, value in flags.items():
        if value is not None:
            put(raw, key, value)
    return checked(model, raw)


def read_yaml(path: Path) -> Raw:
    """A YAML file that holds one mapping."""
    try:
        raw = parse(read_text(path, LIMIT))
    except NotYaml as error:
        raise UserError(f"{path}: not valid YAML: {error}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a recipe is a mapping of keys, not {type(raw).__name__}")
    return raw


def parse_change(change: str) -> tuple[str, Any]:
    """ "key=value" with the value as YAML."""
    key, equals, value = change.partition("=")
    if not equals or not key:
        raise UserError(f"--set {shown(change)}: write key=value, as in --set search.epochs=5")
    try:
        return key, parse(value)
    except NotYaml as error:
        raise UserError(f"--set {brief(key)}: {shown(value)} is not a value ({error})") from error


def put(raw: Raw, key: str, value: Any) -> None:  # noqa: ANN401
    """Sets a dotted key, making the mappings on the way; those that are there may be meant by other keys too."""
    *outer, last = key.split(".")
    for name in outer:
        inner = raw.get(name, {})
        if not isinstance(inner, dict):
            problem = f"{brief(name)} holds {shown(inner)} in the recipe, so nothing can be set below it"
            raise UserError(f"{brief(key)}: {problem}")
        raw[name] = raw = dict(inner)
    raw[last] = value


def checked(model: type[Kind], raw: Raw) -> Kind:
    """The settings of a raw mapping; UserError names the first key that is wrong."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise UserError(explain(model, error)) from error


def explain(model: type[Settings], error: ValidationError) -> str:
    """One mistake of a validation error in one line that begins with its key.

    The innermost one: of a union pydantic lists what is wrong by each of its types.
    """
    mistake = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
    key, kind, given = key_of(model, mistake["loc"]), mistake["type"], mistake["input"]
    if kind == "extra_forbidden":
        return unknown_key(model, key)
    if kind == "union_tag_invalid":
        return str(unknown(f"{key}.name", mistake["ctx"]["tag"], quoted(mistake["ctx"]["expected_tags"])))
    if kind == "literal_error" and isinstance(given, str):
        return str(unknown(key, given, quoted(mistake["ctx"]["expected"])))
    if key in sections(model):
        return f"{key}: holds keys of its own, as in {key}.KEY, so it cannot be {shown(given)}"
    return f"{brief(key)}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}, not {shown(given)}"


def key_of(model: type[Settings], location: tuple[int | str, ...]) -> str:
    """The dotted key of a location, in which pydantic also names the types of unions.

    As in ("split", "branch", "int") and ("method", "darts", "momentum").
    """
    of_union = location[0] == "method" and location[1:2] and location[1] in METHOD_NAMES
    parts = [part for i, part in enumerate(location) if not (of_union and i == 1)]
    depth = 2 if parts[0] in sections(model) else 1
    return ".".join(str(part) for i, part in enumerate(parts) if i < depth or isinstance(part, int))


def unknown_key(model: type[Settings], key: str) -> str:
    """Suggests the key of a similar name, in another section too: "epochs" may be meant as search.epochs."""
    known = known_keys(model)
    if key in known:
        return f"{key}: has no meaning with this method.name; leave it out"
    section, _, name = key.rpartition(".")
    alike = [each for each in known if get_close_matches(name[:SHOWN], [each.rpartition(".")[2]])]
    if near := get_close_matches(key[:SHOWN], alike, n=1, cutoff=0):
        return f"{brief(key)}: unknown key; did you mean {near[0]}?"
    return str(unknown("key", key, [each for each in known if each.rpartition(".")[0] == section]))


def known_keys(model: type[Settings]) -> list[str]:
    """Every dotted key of the settings, those of all methods, and the sections themselves."""
    inner = [
        f"{section}.{key}" for section, kinds in sections(model).items() for kind in kinds for key in kind.model_fields
    ]
    return sorted({*model.model_fields, *inner})


def sections(model: type[Settings]) -> dict[str, list[type[Settings]]]:
    """The keys that hold keys of their own, with what they may be (for `method` one of several)."""
    annotations = {name: field.annotation for name, field in model.model_fields.items()}
    kinds = {name: get_args(annotation) or (annotation,) for name, annotation in annotations.items()}
    inner = {
        name: [kind for kind in several if isclass(kind) and get_origin(kind) is None and issubclass(kind, Settings)]
        for name, several in kinds.items()
    }
    return {name: several for name, several in inner.items() if several}


def quoted(text: str) -> list[str]:
    """The names in a text such as "'darts' or 'rsps'"."""
    return re.findall(r"'([^']*)'", text)
