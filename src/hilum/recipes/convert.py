"""Recipe <-> JSON, exactly, and typed overrides from the command line."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hilum.recipes.schema import Recipe


def to_json(recipe: Recipe) -> dict[str, Any]:
    """Names, numbers, lists and objects; `from_json` gives the equal recipe."""
    return _plain(recipe)


def from_json(document: Mapping[str, Any]) -> Recipe:
    """The recipe that a JSON document describes; missing fields take their defaults.

    Raises:
        ValueError: a field that does not exist (with the nearest one) or a value of another kind.
    """
    return _build(Recipe, document, "recipe")


def flatten(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Every field as its dotted path and its value as `override` takes it."""
    yield from _flatten(to_json(recipe), "")


NO_SETTINGS = ("name", "description", "source", "search", "time_share", "overfit_check")
"""Fields that do not change what a network becomes."""


def find_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The settings in which two recipes differ: dotted path, the value in each ("" where there is none).

    Args:
        first, second: recipes as JSON documents, as `recipe.json` of a run holds them.
    """
    one, other = (dict(_flatten(dict(each), "")) for each in (first, second))
    paths = [path for path in dict.fromkeys([*one, *other]) if path.split(".")[0] not in NO_SETTINGS]
    rows = [(path, one.get(path, ""), other.get(path, "")) for path in paths]
    return [(path, a, b) for path, a, b in rows if _as_number(a) != _as_number(b)]


def _as_number(text: str) -> float | str:
    """So that 1 and 1.0 are one value."""
    try:
        return float(text)
    except ValueError:
        return text


def override(recipe: Recipe, field: str, text: str) -> Recipe:
    """A copy with one field changed.

    Args:
        field: a dotted path such as `model.name` or `phases.0.lr`; a field of a part that is None, such as
            `distil.folds`, makes that part with its other fields as they are by default.
        text: the value as typed, read as the field's type.

    Raises:
        ValueError: no such field (with the nearest one), or text that is not of its type.
    """
    document = to_json(from_json(to_json(recipe)))  # 10 in a field of degrees becomes 10.0
    *parents, last = field.split(".")
    place: Any = document
    for part in parents:
        key = _key(place, part, field)
        if place is document and place[key] is None:  # to set one of its fields switches it on
            place[key] = _defaults(part)
        place = place[key]
    place[_key(place, last, field)] = _typed(text, place[_key(place, last, field)])
    return from_json(document)


def _defaults(name: str) -> dict[str, Any] | None:
    """What a part of a recipe that may be None is when it is there."""
    kinds = [kind for kind in get_args(get_type_hints(Recipe)[name]) if isinstance(kind, type)]
    return next((_plain(kind()) for kind in kinds if dataclasses.is_dataclass(kind)), None)


def _flatten(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flatten(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(each, (dict, list)) for each in value):
        for number, each in enumerate(value):
            yield from _flatten(each, f"{path}.{number}")
    elif isinstance(value, list):
        yield path, ",".join(map(str, value))
    else:
        yield path, str(value).casefold() if isinstance(value, bool) or value is None else str(value)


def _key(place: Any, part: str, field: str) -> Any:
    if isinstance(place, list):
        if part.isdigit() and int(part) < len(place):
            return int(part)
        raise ValueError(f"{field}: expected a number below {len(place)}, found {part}")
    if not isinstance(place, dict) or part not in place:
        names = list(place) if isinstance(place, dict) else []
        raise ValueError(_no_such(field, part, names))
    return part


def _no_such(where: str, name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f" Did you mean `{near[0]}`?" if near else f" It has {', '.join(names)}."
    return f"{where}: there is no `{name}`.{hint}"


def _typed(text: str, present: Any) -> Any:
    if isinstance(present, bool):
        if text.casefold() in ("true", "false"):
            return text.casefold() == "true"
        raise ValueError(f"expected true or false, found {text}")
    if isinstance(present, list):
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return [_typed(part, present[0] if present else 0 if part.isdecimal() else "") for part in parts]
    if isinstance(present, (int, float)):
        try:
            return float(text) if isinstance(present, float) else int(text)
        except ValueError:
            raise ValueError(f"expected a number like {present}, found {text}") from None
    return text


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _build(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: expected an object, found {value!r}")
        hints = get_type_hints(kind)
        for name in value:
            if name not in hints:
                raise ValueError(_no_such(where, name, list(hints)))
        return kind(**{name: _build(hints[name], item, f"{where}.{name}") for name, item in value.items()})  # type: ignore[operator] # a class
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where}: expected a list, found {value!r}")
        return tuple(_build(arguments[0], item, where) for item in value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where}: expected one of {', '.join(map(str, arguments))}, found {value!r}")
        return value
    if origin in (Union, types.UnionType):
        return _build_one_of(arguments, value, where)
    return _scalar(kind, value, where)


def _build_one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """A value of `X | None` or `str | X`: the object where an object is given."""
    if value is None or isinstance(value, str):
        wanted = type(None) if value is None else str
        if wanted in kinds:
            return value
    objects = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    return _build(objects[0], value, where)


def _scalar(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value
