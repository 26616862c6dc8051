"""Heat maps: whether they can be believed, and the surest mistakes with theirs."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.evaluation.values import Estimate, estimate_of
from hilum.report.charts.palette import class_colour
from hilum.report.charts.retention import plot_cascade, plot_retention
from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import render_count, render_estimate

FOLDER, EXAM = Path("inspection") / "cam", "exam.json"
NAMES = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "layercam": "LayerCAM",
    "rollout": "attention roll-out",
    "edges": "edges of the picture, for comparison",
}
STATES = {"pass": "passed", "fail": "failed", "open": "cannot be said"}
TESTS = ("randomised", "deletion", "in_lungs", "at_border")


@dataclass(frozen=True)
class Example:
    """One picture with its maps; data URIs.

    Args:
        pictures: (URI, caption).
        true, said: class names, each with the name of its colour.
    """

    image_path: str
    true: tuple[str, str]
    said: tuple[str, str]
    probability: float
    pictures: tuple[tuple[str, str], ...]


def make_exam(study: Study) -> Section | None:
    """A table of methods by tests, with a plain sentence above and the two curves below."""
    exam = read_exam(study.chosen.folder) if study.chosen else None
    if exam is None:
        return None
    shown = exam["methods"][exam["shown"]]
    rows = [_row(name, each, name == exam["shown"]) for name, each in exam["methods"].items()]
    html = render(
        "cams.html",
        verdict=describe_exam(exam),
        warnings=[each["sentence"] for each in shown["verdicts"] if each["state"] != "pass"],
        about=_describe_held(exam),
        rows=[*rows, _row("edges", exam["control"], False)],
        truths=list(_truths(exam)),
        figures=[
            plot_retention(shown["deletion"], NAMES[exam["shown"]]),
            plot_cascade(
                {NAMES[name]: each["randomised"]["steps"] for name, each in exam["methods"].items()}, exam["shown_at"]
            ),
        ],
        source=f"{study.facts.chosen_run}/{FOLDER.as_posix()}/{EXAM}",
    )
    return Section("Can its heat maps be believed?", html)


def make_mapped_mistakes(study: Study) -> Section | None:
    """The surest mistakes, what the map marks for the wrong answer and for the true one, then right answers."""
    exam = read_exam(study.chosen.folder) if study.chosen else None
    if exam is None or study.chosen is None or not exam["examples"]:
        return None
    folder = study.chosen.folder / FOLDER
    examples = [_example(study, folder, number, each) for number, each in enumerate(exam["examples"])]
    wrong = [each for each in examples if each.true != each.said]
    html = render(
        "cam_examples.html",
        sentence=_describe_examples(exam, len(wrong)),
        warning=_warn(exam),
        wrong=wrong,
        right=[each for each in examples if each.true == each.said],
        source=f"{study.facts.chosen_run}/{FOLDER.as_posix()}/",
    )
    return Section("Where it looked when it was wrong", html)


def read_exam(run_dir: Path) -> dict[str, Any] | None:
    """What the study found out about a run's heat maps; None where it held no exam."""
    path = run_dir / FOLDER / EXAM
    if not path.exists():
        return None
    exam = json.loads(path.read_text(encoding="utf-8"))
    return {**exam, "shown_at": NAMES[exam["shown"]]}


def is_believed(exam: Mapping[str, Any]) -> bool:
    """Whether the method that is shown passed every test."""
    return all(each["state"] == "pass" for each in exam["methods"][exam["shown"]]["verdicts"])


def _warn(exam: Mapping[str, Any]) -> str:
    """What stands above the pictures; asks for care where a test of the maps, not of the network, was not passed."""
    if is_believed(exam):
        return ""
    states = {each["test"]: each["state"] for each in exam["methods"][exam["shown"]]["verdicts"]}
    shows_what_counts = states["randomised"] == states["deletion"] == "pass"
    return describe_exam(exam) if shows_what_counts else f"Read these maps with care. {describe_exam(exam)}"


def describe_exam(exam: Mapping[str, Any]) -> str:
    """The outcome in one plain sentence."""
    name = NAMES[exam["shown"]]
    states = {each["test"]: each["state"] for each in exam["methods"][exam["shown"]]["verdicts"]}
    faithful = [states["randomised"], states["deletion"]]
    if "fail" in faithful:
        return f"The maps of {name} do not show what this network answers from: they failed a test that counts."
    if "open" in faithful:
        return f"Whether the maps of {name} show what this network answers from is not settled by this exam."
    if states["at_border"] == "fail" or states["in_lungs"] == "fail":
        where = "at the border" if states["at_border"] == "fail" else "outside the lungs"
        return f"The maps of {name} can be believed, and they say that the network looks {where} too much."
    if "open" in (states["at_border"], states["in_lungs"]):
        return (
            f"The maps of {name} depend on what was learned, and deleting what they mark hurts; whether the network "
            "keeps to the lungs and off the border is not settled by this exam."
        )
    return (
        f"The maps of {name} passed: they depend on what was learned, deleting what they mark hurts, and they do not "
        "lie at the border."
    )


def _describe_held(exam: Mapping[str, Any]) -> str:
    cells = " by ".join(map(str, exam["cells"]))
    part = "" if exam["images"] == exam["of"] else f" of {exam['of']:,} drawn for it, as many as the time allowed"
    known = exam["lungs"]["known"]
    lungs = (
        "The lungs are known, for hilum drew these pictures."
        if known
        else f"The lungs were found by a small network that was trained on drawn X-rays, in {exam['lungs']['found']} "
        f"of the {exam['images']} pictures."
    )
    return (
        f"Held on {render_count(exam['images'], 'validation image')}{part}, each of another patient. The maps are "
        f"taken at {exam['layer']} and have {cells} cells; each speaks for the class that the network found most "
        f"probable. {lungs} No map is a proof that a marker or a border is not used: short cuts have hidden from "
        "maps that passed, and the probes of the audit look for them."
    )


def _row(name: str, figures: Mapping[str, Any], chosen: bool) -> dict[str, Any]:
    states = {each["test"]: STATES[each["state"]] for each in figures["verdicts"]}
    values = {
        "randomised": figures["randomised"]["all"],
        "deletion": figures["deletion"]["gain"],
        "in_lungs": figures["in_lungs"]["density"],
        "at_border": figures["at_border"]["density"],
    }
    cells = [(render_estimate(_estimate(values[test])), states[test]) for test in TESTS]
    return {"name": NAMES[name], "chosen": chosen, "cells": cells}


def _truths(exam: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on what is known of drawn pictures."""
    shown = exam["methods"][exam["shown"]]
    if "lesion" in shown:
        each = shown["lesion"]
        yield (
            f"These pictures are drawn, so the true lesions are known: the hottest point lies on the lesion in "
            f"{_percent(each['peak'])} of the pictures ({_percent(each['peak_by_chance'])} by chance), and as large a "
            f"part of the map as the lesion overlaps with it by {_number(each['overlap'])} "
            f"({_number(each['overlap_elsewhere'])} when the map is laid elsewhere; 1 would be the lesion itself)."
        )
    if "marker" in shown:
        each = shown["marker"]
        dense = _estimate(each["density"])
        gives = "gives it away" if dense.ci_low > 1 else "does not give it away"
        yield (
            f"A marker was planted in these pictures. The map {gives}: it is {_number(each['density'])} times as dense "
            f"on the marker as over the whole picture, and its hottest point is there in {_percent(each['peak'])} "
            f"of them ({_percent(each['peak_by_chance'])} by chance)."
        )


def _describe_examples(exam: Mapping[str, Any], wrong: int) -> str:
    split = "test" if exam["examples_of"] == "test" else "validation"
    start = f"Failures first: the {render_count(wrong, 'mistake')} on {split} that it was surest of" if wrong else (
        f"It made no mistake on {split}"
    )  # fmt: skip
    return (
        f"{start}. Each X-ray stands beside its map ({NAMES[exam['shown']]}): for what the network said, and for what "
        "is true. Yellow is where the map is strongest, the blue line runs where it is half as strong."
    )


def _example(study: Study, folder: Path, number: int, each: Mapping[str, Any]) -> Example:
    captions = {"picture": "X-ray", "said": f"for {each['said']}", "true": f"for {each['true']}"}
    pictures = []
    for name, caption in captions.items():
        path = folder / f"example-{number:02}-{name}.png"
        if path.exists():
            nothing = ": nothing speaks for it" if name in each.get("empty", ()) else ""
            pictures.append((_embedded(path), caption + nothing))
    true, said = ((name, class_colour(study.labels.index(name))) for name in (each["true"], each["said"]))
    return Example(each["image_path"], true, said, each["probability"], tuple(pictures))


def _embedded(path: Path) -> str:
    from PIL import Image

    file = io.BytesIO()
    with Image.open(path) as picture:
        picture.save(file, "WEBP", quality=82, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _estimate(document: Mapping[str, Any]) -> Estimate:
    return estimate_of(document)


def _percent(document: Mapping[str, Any]) -> str:
    return render_estimate(_clipped(_estimate(document)), percent=True)


def _number(document: Mapping[str, Any]) -> str:
    return render_estimate(_estimate(document))


def _clipped(estimate: Estimate) -> Estimate:
    """A share's interval ends at 0 and 1."""
    return Estimate(estimate.value, max(estimate.ci_low, 0.0), min(estimate.ci_high, 1.0), estimate.k, estimate.n)
