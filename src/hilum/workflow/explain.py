"""Heat maps of somebody's own pictures: overlays, raw maps and a page in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hilum.errors import DataError, ImageRejected, UsageError
from hilum.images.discover import find_images
from hilum.models import load_model, read_header
from hilum.report.explain_page import write_explain_page
from hilum.serving.explanation import Explanation, class_number, explain_pictures, open_picture
from hilum.transforms import Preprocessing
from hilum.workflow.record import now, read_json, write_json

SCHEMA = "hilum.explain/1"
EXAM = Path("inspection") / "cam" / "exam.json"
AT_ONCE = 16


@dataclass(frozen=True)
class ExplainOptions:
    """How to explain.

    Args:
        method: `gradcam`, `gradcam++`, `layercam` or `rollout`.
        target: a class; None = the most probable one of each picture.
        against: a class whose score is taken off.
        layer: a stage or module of the network; None = what suits its family.
        out: folder; `runs/explain` when None.
    """

    method: str = "gradcam"
    target: str | None = None
    against: str | None = None
    layer: str | None = None
    out: Path | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Explained:
    """What was written.

    Args:
        folder: with a PNG and an NPY for each picture, `explain.json` and the page.
        page: one self-contained file.
        document: what `explain.json` says.
    """

    folder: Path
    page: Path
    document: dict[str, Any]

    @property
    def rejected(self) -> int:
        """How many files could not be used."""
        return len(self.document["rejected"])

    def _repr_html_(self) -> str:
        import html

        return f"<p>{len(self.document['images'])} heat maps: {html.escape(str(self.page))}</p>"


def explain_paths(
    model_path: Path,
    paths: Sequence[Path],
    options: ExplainOptions = ExplainOptions(),
    on_step: Callable[[int, int, str], None] = lambda *_: None,
) -> Explained:
    """Writes a heat map of every picture under some paths.

    Args:
        paths: files and folders; whatever `read_image` reads.

    Raises:
        ModelFileError: no model file, or a damaged one.
        DataError: no such path, or no usable picture.
        UsageError: an unknown class or device, or a folder that cannot be written to.
        RecipeError: a method or layer that the network does not have.
    """
    header = read_header(model_path)
    for name, what in ((options.target, "--target"), (options.against, "--against")):
        class_number(tuple(header.labels), name, what)
    names, folder = _pictures_under(paths), _folder(options.out or Path("runs") / "explain")
    rows, rejected = _explained(model_path, names, folder, options, on_step)
    if not rows:
        reason = rejected[0]["reason"] if rejected else "nothing"
        raise DataError(", ".join(map(str, paths)), expected="readable X-rays", found=reason)
    document = {
        "schema": SCHEMA,
        "written": now(),
        "model": str(model_path),
        "architecture": header.architecture["name"],
        "method": options.method,
        "layer": rows[0]["layer"],
        "target": options.target,
        "against": options.against,
        "exam": _exam_of(model_path),
        "images": [{name: value for name, value in row.items() if name != "layer"} for row in rows],
        "rejected": rejected,
    }
    write_json(folder / "explain.json", document)
    return Explained(folder, write_explain_page(folder, document), document)


def _explained(
    model_path: Path,
    names: Sequence[Path],
    folder: Path,
    options: ExplainOptions,
    on_step: Callable[[int, int, str], None],
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A row for each picture whose map was written, and one for each that could not be read."""
    from hilum.inference.device import choose_device

    device = choose_device(options.device)
    model, header = load_model(model_path)
    preprocessing, labels = Preprocessing(**header.preprocessing), tuple(header.labels)
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    taken: set[str] = set()
    for batch in _opened(names, preprocessing, rejected):
        explained = explain_pictures(
            model, labels, preprocessing, [opened for _, opened in batch], method=options.method,
            target=options.target, against=options.against, layer=options.layer, extras=header.extras, device=device,
        )  # fmt: skip
        rows += [_write(folder, path, each, taken) for (path, _), each in zip(batch, explained, strict=True)]
        on_step(len(rows) + len(rejected), len(names), "heat maps")
    return rows, rejected


def _exam_of(model_path: Path) -> dict[str, Any] | None:
    """The verdicts of the exam in the model's study; None where none was held."""
    exam = read_json(Path(model_path).parent / EXAM)
    if exam is None:
        return None
    methods = {name: {"verdicts": each["verdicts"]} for name, each in exam["methods"].items()}
    return {"shown": exam["shown"], "images": exam.get("images"), "methods": methods}


def _pictures_under(paths: Sequence[Path]) -> list[Path]:
    """Files as they are named, and the pictures below folders, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise DataError(str(path), expected="a file or a folder", found="nothing")
        found.update(dict.fromkeys([path] if path.is_file() else find_images(path)))
    if not found:
        raise DataError(", ".join(map(str, paths)) or "pictures", expected="at least one X-ray", found="none")
    return list(found)


def _folder(out: Path) -> Path:
    if out.exists() and not out.is_dir():
        raise UsageError("--out", expected="a folder", found=f"the file {out}")
    out.mkdir(parents=True, exist_ok=True)
    return out


def _opened(names: Sequence[Path], preprocessing: Preprocessing, rejected: list[dict[str, str]]) -> Iterator[list]:
    """Pictures in batches; what cannot be read goes to `rejected`."""

    def readable() -> Iterator[tuple[Path, Any]]:
        for path in names:
            try:
                yield path, open_picture(path, preprocessing)
            except ImageRejected as error:
                rejected.append({"image_path": str(path), "code": error.code, "reason": str(error)})

    pictures = readable()
    while batch := list(islice(pictures, AT_ONCE)):
        yield batch


def _write(folder: Path, path: Path, explained: Explanation, taken: set[str]) -> dict[str, Any]:
    stem = _free_name(path.stem or path.name, taken)
    explained.save(folder / f"{stem}.png")
    partial = folder / f".{stem}.npy.partial"
    with partial.open("wb") as file:
        np.save(file, explained.cam)
    partial.replace(folder / f"{stem}.npy")
    hottest = np.unravel_index(int(explained.heat.argmax()), explained.heat.shape)
    return {
        "image_path": str(path),
        "said": explained.said,
        "probs": dict(explained.probs),
        "label": explained.label,
        "against": explained.against,
        "overlay": f"{stem}.png",
        "map": f"{stem}.npy",
        # As shares of width and height, so that it holds for the picture at any size.
        "hottest": [round(float(at / side), 4) for at, side in zip(hottest, explained.heat.shape, strict=True)][::-1],
        "empty": not explained.heat.any(),
        "warnings": list(explained.warnings),
        "layer": explained.layer,
    }


def _free_name(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name
