"""`hilum explain`: where in a picture an answer comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.errors import UsageError
from hilum.serving.box import bundled_model
from hilum.workflow.explain import Explained, ExplainOptions, explain_paths
from hilum.workflow.record import read_json

REJECTED = 3
MODEL_FILE, EXPORTED = ".safetensors", (".onnx", ".xml")


def run_explain_command(paths: Sequence[Path], options: ExplainOptions, *, as_json: bool) -> int:
    """Explains and prints; returns the exit code."""
    model, pictures = split_model(paths)
    terminal = Terminal(quiet=True)
    with terminal.stage("heat maps") as bar:
        explained = explain_paths(model, pictures, options, bar)
    for each in explained.document["rejected"]:
        terminal.warn(each["reason"])
    if as_json:
        print_json({"out": str(explained.folder), "page": str(explained.page), **explained.document})
    else:
        _print(explained, model)
    return REJECTED if explained.rejected else 0


def split_model(paths: Sequence[Path]) -> tuple[Path, list[Path]]:
    """The model file that stands first, or that of the newest study under `runs/`, or the one in the box; and the rest.

    Raises:
        UsageError: no pictures, or no model.
    """
    if paths and paths[0].suffix.casefold() in EXPORTED:
        way_out = "Take the .safetensors that it was exported from."
        raise UsageError(str(paths[0]), expected="a model file with weights", found="an exported one", way_out=way_out)
    if paths and paths[0].suffix == MODEL_FILE:
        model, pictures = paths[0], list(paths[1:])
    else:
        model, pictures = _newest_model(), list(paths)
    if not pictures:
        raise UsageError("hilum explain", expected="at least one picture or folder", found="none")
    return model, pictures


def _newest_model() -> Path:
    """Of the newest study under `runs/`, else the model in the box."""
    studies = sorted(Path("runs").glob("*/study.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for study in studies:
        model = study.parent / str((read_json(study) or {}).get("chosen_run")) / "model.safetensors"
        if model.is_file():
            return model
    return bundled_model(suffixes=(MODEL_FILE,))


def _print(explained: Explained, model: Path) -> None:
    rows = [
        (Path(each["image_path"]).name, each["said"], f"{each['probs'][each['said']]:.3f}", _question(each))
        for each in explained.document["images"][:20]
    ]
    print_line(render_table(rows, ("image", "said", "probability", "map for")))
    more = len(explained.document["images"]) - len(rows)
    if more > 0:
        print_line(f"and {more} more")
    print_line()
    print_line(f"model {model}")
    print_line(str(explained.page))


def _question(each: dict) -> str:
    return f"{each['label']} - {each['against']}" if each["against"] else str(each["label"])
