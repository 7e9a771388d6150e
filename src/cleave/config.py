"""Recipes: read, changed from the command line, checked against the space, and resolved to what will run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from inspect import isclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from cleave.errors import SHOWN, UserError, brief, shown, unknown
from cleave.extensions import use_extensions
from cleave.files import read_text
from cleave.kinds import OPEN, kind_in
from cleave.registry import UNKNOWN, registry
from cleave.settings import Recipe, Settings
from cleave.yaml_text import LIMIT, NotYaml, parse

Raw = dict[str, Any]
Kind = TypeVar("Kind", bound=Settings)


def load_recipe(path: Path | None, changes: Iterable[str], flags: Mapping[str, Any]) -> Recipe:
    """The defaults, changed by the recipe file, then by `key=value` changes, then by the flags that were given.

    Keys are dotted ("space.channels"). UserError names the key or the file.
    """
    return load(Recipe, read_yaml(path) if path else {}, changes, flags)


def load(model: type[Kind], raw: Raw, changes: Iterable[str], flags: Mapping[str, Any]) -> Kind:
    """Settings of any kind: the defaults, changed by what was read, by `key=value` changes and by flags.

    The files that it names as extensions are run first.
    """
    for change in changes:
        put(raw, *parse_change(change))
    for key, value in flags.items():
        if key == "extensions" and value is not None and (listed := raw.get(key)) is not None:
            put(raw, key, [*listed, *value] if isinstance(listed, list) else listed)  # no list is refused later
        elif value is not None:
            put(raw, key, value)
    return checked(model, use_extensions(raw))


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


def parse_change(change: str, option: str = "--set ", example: str = "search.epochs=5") -> tuple[str, Any]:
    """ "key=value" with the value as YAML; `option` is what people write before it."""
    key, equals, value = change.partition("=")
    if not equals or not key:
        raise UserError(f"{option}{shown(change)}: write key=value, as in {option}{example}")
    try:
        return key, parse(value)
    except NotYaml as error:
        raise UserError(f"{option}{brief(key)}: {shown(value)} is not a value ({error})") from error


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
        raise UserError(explain(model, error, raw)) from error


def explain(model: type[Settings], error: ValidationError, raw: Raw) -> str:
    """One mistake of a validation error in one line that begins with its key.

    The innermost one: of a union pydantic lists what is wrong by each of its types.
    """
    mistake = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
    location, kind, given = mistake["loc"], mistake["type"], mistake["input"]
    depth = 2 if location[0] in sections(model) else 1  # what is deeper may be the type of a union, as "int"
    key = ".".join(str(part) for i, part in enumerate(location) if i < depth or isinstance(part, int))
    if kind == "extra_forbidden":
        return unknown_key(model, key, raw)
    if isinstance(cause := mistake.get("ctx", {}).get("error"), UserError):
        return str(cause)
    if kind == UNKNOWN:
        what = f"{key}.{OPEN[key][1]}" if key in OPEN else key
        return str(unknown(what, mistake["ctx"]["given"], mistake["ctx"]["known"]))
    if kind == "literal_error" and isinstance(given, str):
        return str(unknown(key, given, re.findall(r"'([^']*)'", mistake["ctx"]["expected"])))
    if key in sections(model):
        return f"{key}: holds keys of its own, as in {key}.KEY, so it cannot be {shown(given)}"
    return f"{brief(key)}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}, not {shown(given)}"


def unknown_key(model: type[Settings], key: str, raw: Raw) -> str:
    """Suggests the key of a similar name, in another section too: "epochs" may be meant as search.epochs."""
    known, (section, _, name) = known_keys(model), key.rpartition(".")
    if key in known:
        kind, own = kind_in(model, section, raw[section])
        keys = ", ".join(f"{section}.{each}" for each in own.model_fields)
        return f"{key}: has no meaning with this {section}.{OPEN[section][1]}, {kind}; it has {keys}"
    alike = [each for each in known if get_close_matches(name[:SHOWN], [each.rpartition(".")[2]])]
    if near := get_close_matches(key[:SHOWN], alike, n=1, cutoff=0):
        return f"{brief(key)}: unknown key; did you mean {near[0]}?"
    if section in OPEN and isinstance(given := raw.get(section, {}), Mapping):
        known = [f"{section}.{each}" for each in kind_in(model, section, given)[1].model_fields]
    return str(unknown("key", key, [each for each in known if each.rpartition(".")[0] == section]))


def known_keys(model: type[Settings]) -> list[str]:
    """Every dotted key of the settings, those of all methods, and the sections themselves."""
    inner = [
        f"{section}.{key}" for section, kinds in sections(model).items() for kind in kinds for key in kind.model_fields
    ]
    return sorted({*model.model_fields, *inner})


def sections(model: type[Settings]) -> dict[str, list[type[Settings]]]:
    """The keys that hold keys of their own, with what they may be (for `method` one of several)."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    found = {name: [kind] for name, kind in kinds.items() if isclass(kind) and issubclass(kind, Settings)}
    for name in found.keys() & OPEN.keys():
        found[name] = [model.of_section(name, kind.settings_class) for kind in registry(OPEN[name][0]).values()]
    return found
