"""`hilum embed` and `hilum neighbors`: a model's embeddings, and what lies near in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.workflow.embed import embed_data
from hilum.workflow.neighbors import Answer, NeighborsOptions, NeighborsResult, neighbors_of
from hilum.workflow.project import project_run

REJECTED, NOTHING = 3, 4
LISTED = 7
"""Neighbours in a table; `--json` has all that vote."""


def run_embed_command(
    model: Path,
    data: Path,
    *,
    layer: str,
    labels: str,
    patient_pattern: str | None,
    out: Path,
    device: str,
    as_json: bool,
) -> int:
    """Embeds, writes and says where; returns the exit code."""
    voice = Terminal(quiet=as_json)
    found = embed_data(
        model, data, layer=layer, labels=labels, patient_pattern=patient_pattern, out=out, device=device, voice=voice
    )
    for path, (code, reason) in found.rejected.items():
        voice.warn(f"{path}: {code}: {reason}")
    counts = found.embeddings.table["split"].value_counts().to_dict()
    if as_json:
        about = dict(found.embeddings.about)
        print_json(
            {
                "out": str(out),
                "images": len(found.embeddings),
                "width": found.embeddings.dim,
                "splits": counts,
                "rejected": {path: list(why) for path, why in found.rejected.items()},
                **about,
            }
        )
    else:
        splits = ", ".join(f"{split} {count:,}" for split, count in counts.items())
        print_line(f"{len(found.embeddings):,} images ({splits}), {found.embeddings.dim:,} numbers each, layer {layer}")
        print_line(str(out))
    return REJECTED if found.rejected else 0


def run_neighbors_command(model: Path, data: Sequence[Path], options: NeighborsOptions, *, as_json: bool) -> int:
    """Asks the neighbours and prints what they say; returns the exit code."""
    voice = Terminal(quiet=as_json)
    result = neighbors_of(model, data, options, voice)
    for path, (code, reason) in result.rejected.items():
        voice.warn(f"{path}: {code}: {reason}")
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)
    if result.answers and len(result.refused) == len(result.answers):
        return NOTHING
    return REJECTED if result.rejected or (result.answers and result.refused) else 0


def run_project_command(model: Path, out: Path, *, as_json: bool, **wishes: Any) -> int:
    """Draws the map and prints what its purity says; returns the exit code."""
    from hilum.report.projection_page import describe_map
    from hilum.report.sections.projection import describe_settings

    found = project_run(model, out, voice=Terminal(quiet=as_json), **wishes)
    if as_json:
        print_json({"page": str(found.page), **found.document})
    else:
        print_line(describe_settings(found.document))
        print_line(describe_map(found.document))
        print_line(str(found.page))
    return 0


def _print(result: NeighborsResult) -> None:
    from hilum.report.neighbors_page import describe_result
    from hilum.report.sections.neighbors import describe_leak

    for answer in result.answers:
        _print_answer(answer)
    print_line(describe_result(result))
    if result.evaluations:
        print_line()
        print_line(render_table(_rows(result.evaluations), ("figure", "images", "95 % interval")))
        for name, evaluation in result.evaluations.items():
            if name != "seen":
                print_line()
                print_line(_matrix(name, evaluation))
        print_line()
    for line in (describe_leak(result.evaluations), *result.remarks):
        if line:
            print_line(line)
    if result.page:
        print_line(str(result.page))


def _print_answer(answer: Answer) -> None:
    if answer.refused:
        print_line(f"{answer.name}: refused, {answer.leak}. --allow-leak answers all the same.")
    else:
        votes = ", ".join(f"{name} {share:.0%}" for name, share in answer.votes.items())
        print_line(f"{answer.name}: {answer.label} ({votes})")
        if answer.leak:
            print_line(f"  no evidence: {answer.leak}")
        rows = [(each["image_path"], each["label"], f"{each['distance']:.4g}") for each in answer.neighbors[:LISTED]]
        print_line(render_table(rows, ("nearest training images", "label", "distance")))
    print_line()


def _rows(evaluations: Mapping[str, Any]) -> list[tuple[str, ...]]:
    names = {"seen": "seen in training (not to be believed)", "leak": "all, seen ones too (not to be believed)"}
    return [
        (f"{names.get(split, split)}: {figure.replace('_', ' ')}", f"{each.images:,}", _interval(each.overall[figure]))
        for split, each in evaluations.items()
        for figure in ("accuracy", "balanced_accuracy", "auroc")
    ]


def _matrix(name: str, evaluation: Any) -> str:
    rows = [
        (f"{name}, true {label}", *(f"{count:,}" for count in row))
        for label, row in zip(evaluation.labels, evaluation.confusion, strict=True)
    ]
    return render_table(rows, ("called", *evaluation.labels))


def _interval(estimate: Any) -> str:
    if estimate.value != estimate.value:
        return "-"
    return f"{estimate.value:.3f} [{estimate.ci_low:.3f}, {estimate.ci_high:.3f}]"
