"""`hilum compare`: runs in pairs, on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.cli.terminal import print_json, print_line, render_table
from hilum.errors import UsageError

if TYPE_CHECKING:
    from hilum.evaluation import Comparison, Pair

NEEDS = "Give run folders, such as runs/NAME/RUN, or predictions files."


def run_compare_command(
    runs: Sequence[Path], *, split: str, replicates: int, seed: int, out: Path | None, as_json: bool
) -> int:
    """Compares and prints; returns the exit code."""
    from hilum.data.predictions import read_predictions
    from hilum.evaluation import compare
    from hilum.workflow.arms import settings_apart
    from hilum.workflow.record import write_json

    if len(runs) < 2:
        raise UsageError("hilum compare", expected="two runs or more", found=str(len(runs)), way_out=NEEDS)
    if replicates < 2:
        raise UsageError("--replicates", expected="at least 2", found=str(replicates))
    if seed < 0:
        raise UsageError("--seed", expected="a whole number from 0", found=str(seed))
    files = _files(runs, split)
    compared = compare({name: read_predictions(path) for name, path in files.items()}, replicates=replicates, seed=seed)
    apart = settings_apart(compared.runs, {name: path.parent for name, path in files.items()})
    document = {**compared.to_json(), "settings": apart}
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, document)
    if as_json:
        print_json(document)
        return 0
    print_line(_table(compared))
    print_line()
    print_line(compared.sentence)
    for run in apart.values():
        print_line(run["sentence"])
    print_line("Differences: best minus this run, with 95 % intervals over patients. p: DeLong, corrected (Holm).")
    if out is not None:
        print_line(str(out))
    return 0


def _files(runs: Sequence[Path], split: str) -> dict[str, Path]:
    files = [_file(run, split) for run in runs]
    return dict(zip(_names(files), files, strict=True))


def _file(run: Path, split: str) -> Path:
    """The predictions file of a run folder.

    Raises:
        UsageError: there is none.
    """
    path = run if run.is_file() else run / f"predictions-{split}.parquet"
    if path.is_file():
        return path
    if not run.exists():
        raise UsageError(str(run), expected="a run folder", found="nothing", way_out=NEEDS)
    if (run / "study.json").exists():
        inside = sorted(child.parent.name for child in run.glob(f"*/predictions-{split}.parquet"))
        raise UsageError(
            str(run), expected="a run folder", found=f"a study with the runs {', '.join(inside)}", way_out=NEEDS
        )
    way_out = "The test split is opened for the chosen run only: compare on validation." if split == "test" else NEEDS
    raise UsageError(str(run), expected=path.name, found="no such file", way_out=way_out)


def _names(files: Sequence[Path]) -> list[str]:
    """The shortest ends of the folders' names that differ.

    Raises:
        UsageError: one file twice.
    """
    parents = [
        path.resolve().parent.parts if path.name.startswith("predictions-") else path.resolve().parts for path in files
    ]
    for length in range(1, max(map(len, parents)) + 1):
        names = ["/".join(parts[-length:]) for parts in parents]
        if len(set(names)) == len(names):
            return names
    raise UsageError("hilum compare", expected="each run once", found=f"{files[0].parent} more than once")


def _table(compared: Comparison) -> str:
    rows = []
    for run in compared.runs:
        figures, pair = compared.figures[run], compared.against_best(run)
        rows.append(
            (
                f"{compared.groups[run]}  {run}",
                f"{figures['auroc']:.3f}",
                f"{figures['accuracy']:.3f}",
                _difference(pair, "auroc"),
                _difference(pair, "accuracy"),
                "best" if pair is None else f"{pair.corrected:.2g}",
            )
        )
    return render_table(rows, ("group  run", "AUROC", "acc.", "AUROC difference", "accuracy difference", "p"))


def _difference(pair: Pair | None, name: str) -> str:
    if pair is None:
        return ""
    each = pair.difference[name]
    return f"{each.value:+.3f} [{each.ci_low:.3f}, {each.ci_high:.3f}]"
