"""Types of options that are more than a string."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import tyro

from hilum.errors import UsageError

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float:
    """Seconds of a duration such as `90`, `90s`, `14m`, `1.5h`.

    Raises:
        UsageError: anything else.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|)\s*", text)
    if not found or float(found[1]) <= 0:
        raise UsageError("--time-budget", expected="a duration such as 90s, 14m or 1.5h", found=text)
    return float(found[1]) * UNITS[found[2]]


def names_of(text: str) -> tuple[str, ...]:
    """Names of a comma-separated list."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _paths_of(texts: list[str]) -> tuple[Path, ...]:
    return tuple(Path(each) for each in texts)


def _shown_as(metavar: str):
    return tyro.conf.arg(metavar=metavar)


# tyro imports typeguard, a sixth of the time of a cold prediction, to check a `Path | None`, and not for an Optional.
Count = Optional[int]  # noqa: UP045
Folder = Annotated[Optional[Path], _shown_as("FOLDER")]  # noqa: UP045
File = Annotated[Optional[Path], _shown_as("FILE")]  # noqa: UP045
Duration = Annotated[str, _shown_as("DURATION")]
Settings = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, _shown_as("FIELD=VALUE")]
Mapped = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, _shown_as("NAME=A+B")]
Space = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, _shown_as("FIELD=LOW..HIGH")]
Names = Annotated[str, _shown_as("NAME,NAME")]
Pattern = Annotated[str | None, _shown_as("REGEX")]
Device = Literal["auto", "cpu", "cuda", "mps"]

if TYPE_CHECKING:
    Paths = tuple[Path, ...]
else:
    # As tuple[Path, ...] typeguard would be imported for it as well.
    Paths = Annotated[
        tuple,
        tyro.constructors.PrimitiveConstructorSpec(
            nargs="*",
            metavar="PATH",
            instance_from_str=_paths_of,
            is_instance=lambda each: isinstance(each, tuple),
            str_from_instance=lambda paths: [str(each) for each in paths],
        ),
    ]
