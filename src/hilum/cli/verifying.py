"""`hilum verify`: whether every number of a folder is the one that its evidence gives."""

from __future__ import annotations

from pathlib import Path

from hilum.cli.terminal import print_json, print_line
from hilum.errors import CheckFailed
from hilum.verify import Verification, verify_folder

LISTED = 20
"""Differences that are printed; --json and --out hold all."""


def run_verify_command(folder: Path, data: Path | None, out: Path | None, *, as_json: bool) -> int:
    """Verifies and prints; returns the exit code."""
    found = verify_folder(folder, data=data)
    if out is not None:
        _write(out, found)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
    return 0 if found.passed else CheckFailed.exit_code


def _print(found: Verification) -> None:
    for difference in found.differences[:LISTED]:
        print_line(difference.sentence)
    if len(found.differences) > LISTED:
        print_line(f"... and {len(found.differences) - LISTED} more; --json lists all")
    for sentence in found.unchecked:
        print_line(f"not checked: {sentence}")
    for sentence in found.notes:
        print_line(f"note: {sentence}")
    print_line(found.headline)


def _write(path: Path, found: Verification) -> None:
    import json

    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
