"""`hilum predict`: images through a model, a line an image."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hilum.cli.terminal import Terminal, print_line
from hilum.errors import UsageError
from hilum.images import read_image
from hilum.inference.engine import describe
from hilum.serving.box import SUFFIXES, bundled_model
from hilum.serving.inputs import find_sources, open_sources
from hilum.serving.journal import Journal
from hilum.serving.prediction import NOT_FOR, Outcome
from hilum.serving.predictor import Predictor
from hilum.serving.stream import Reader, predict_many

ALL_WELL, SOME_REJECTED, NOTHING = 0, 3, 4
NAME, LABEL, CALLED = 34, 12, 12


@dataclass(frozen=True)
class Wishes:
    """Options of `hilum predict`."""

    as_json: bool = False
    out: Path | None = None
    heatmap: Path | None = None
    untrusted: bool = False
    force: bool = False
    threads: int | None = None
    device: str = "auto"
    engine: str = "auto"
    dicom_out: Path | None = None


def run_predict_command(paths: Sequence[Path], wishes: Wishes) -> int:
    """Predicts and prints; returns the exit code."""
    model, inputs = _model_and_inputs(paths)
    if wishes.threads is not None and wishes.threads < 1:
        raise UsageError("--threads", expected="1 or more", found=str(wishes.threads))
    files, images = find_sources(inputs)
    predictor = Predictor.load(model, device=wishes.device, engine=wishes.engine)
    if wishes.heatmap is not None and predictor.model is None:
        raise UsageError("--heatmap", expected="a .safetensors model", found=model.name, way_out="It takes gradients.")
    if wishes.dicom_out is not None:
        _check_dicom_out(predictor, model)
    terminal, began = Terminal(quiet=wishes.as_json), time.monotonic()
    unanswered = Counter[str]()
    counts = Counter[str]()
    with ExitStack() as stack:
        journal = _journal(model, predictor, wishes, stack)
        done = journal.done if journal else frozenset()
        if journal and done:
            terminal.say(f"going on: {len(done):,} images have their answer in {journal.path.name}")
        read = _reader(wishes, stack)
        sources = open_sources(files, done)
        outcomes = predict_many(
            predictor, sources, images=images - len(done), read=read, force=wishes.force, threads=wishes.threads,
            engine=wishes.engine,
        )  # fmt: skip
        bar = stack.enter_context(terminal.stage("predicted")) if journal else None
        for number, outcome in enumerate(_shown(outcomes, predictor, wishes), start=1):
            counts[outcome.rejected.code if outcome.rejected else ""] += 1
            if wishes.dicom_out is not None and outcome.prediction is not None:
                unanswered[_answer(predictor, outcome, wishes.dicom_out, read)] += 1
            if journal:
                journal.add(outcome)
            if bar:
                bar(len(done) + number, images)
            if wishes.heatmap is not None and outcome.prediction is not None:
                _draw(predictor, outcome, wishes.heatmap, read)
        if journal:
            counts[""] += len(done) - journal.rejected
            counts["in an earlier call"] += journal.rejected
            path = journal.finish()
    _sum_up(terminal, predictor, model, counts, time.monotonic() - began)
    if wishes.dicom_out is not None:
        without = ", ".join(f"{number} {code}" for code, number in sorted(unanswered.items()) if code)
        terminal.say(f"DICOM answers for {unanswered['']:,}{f'; none for {without}' if without else ''}")
    if journal and not wishes.as_json:
        print_line(str(path))
    return _exit_code(counts)


def _model_and_inputs(paths: Sequence[Path]) -> tuple[Path, Sequence[Path]]:
    named = bool(paths) and paths[0].suffix.lower() in SUFFIXES
    inputs = paths[1:] if named else paths
    if not inputs:
        raise UsageError("hilum predict", expected="[MODEL] PATH...", found="no image, folder or archive")
    return paths[0] if named else bundled_model(), inputs


def _journal(model: Path, predictor: Predictor, wishes: Wishes, stack: ExitStack) -> Journal | None:
    if wishes.out is None:
        return None
    exported = predictor.opened.exported
    about = {
        "model": (exported.sha256 if exported else predictor.header.sha256),
        "force": wishes.force,
        "heatmap": str(wishes.heatmap or ""),
        "dicom": str(wishes.dicom_out or ""),
    }
    points = [f"{each['name']} {each['label']}" for each in predictor.header.extras.get("operating_points", ())]
    return stack.enter_context(Journal(wishes.out, about, predictor.labels, points))


def _reader(wishes: Wishes, stack: ExitStack) -> Reader:
    if not wishes.untrusted:
        return read_image
    from hilum.images.sandbox import Sandbox

    return stack.enter_context(Sandbox(workers=wishes.threads or os.cpu_count() or 1)).read


def _shown(outcomes: Iterator[Outcome], predictor: Predictor, wishes: Wishes) -> Iterator[Outcome]:
    """Prints each outcome as it passes: JSON lines, or a table where nothing is written to a file."""
    header = wishes.as_json or wishes.out is not None
    for outcome in outcomes:
        if wishes.as_json:
            sys.stdout.write(json.dumps(outcome.to_json()) + "\n")
        elif wishes.out is None:
            if not header:
                print_line(_row("image", "label", "prob", "at youden", "gate", "warnings"))
                header = True
            print_line(_line(outcome))
        yield outcome


def _line(outcome: Outcome) -> str:
    if outcome.prediction is None:
        code = outcome.rejected.code if outcome.rejected else ""
        return _row(outcome.name, "rejected", "", "", "", code)
    found = outcome.prediction
    youden = [each for each in found.decisions if each.point == "youden"]
    called = "+".join(each.label for each in youden if each.called) if youden else ""
    gate = "" if found.gate_score is None else f"{found.gate_score:.2f}"
    prob = f"{found.probs[found.label]:.3f}"
    return _row(outcome.name, found.label, prob, called or ("-" if youden else ""), gate, " ".join(found.warnings))


def _row(name: str, label: str, prob: str, called: str, gate: str, notes: str) -> str:
    short = name if len(name) <= NAME else "..." + name[len(name) - NAME + 3 :]
    plain = "".join(each if each.isprintable() else "?" for each in short)
    line = f"{plain:<{NAME}} {label[:LABEL]:<{LABEL}} {prob:>5} {called[:CALLED]:<{CALLED}} {gate:>5} {notes}"
    return line.rstrip()


def _draw(predictor: Predictor, outcome: Outcome, folder: Path, read: Reader) -> None:
    from hilum.serving.heatmap import write_heatmap

    write_heatmap(predictor, outcome, folder, read)


def _check_dicom_out(predictor: Predictor, model: Path) -> None:
    from hilum.serving.dicom_out.front import check_installed

    check_installed("--dicom-out")
    if predictor.model is None:
        way_out = "Its heat maps take gradients."
        raise UsageError("--dicom-out", expected="a .safetensors model", found=model.name, way_out=way_out)


def _answer(predictor: Predictor, outcome: Outcome, folder: Path, read: Reader) -> str:
    from hilum.serving.dicom_out.front import write_answer

    return write_answer(predictor, outcome, folder, read)


def _sum_up(terminal: Terminal, predictor: Predictor, model: Path, counts: Counter[str], seconds: float) -> None:
    done = counts[""]
    rejected = {code: number for code, number in counts.items() if code and number}
    words = ", ".join(f"{number} {code}" for code, number in sorted(rejected.items()))
    refused = f"; {sum(rejected.values())} rejected ({words})" if rejected else ""
    terminal.say(f"{done:,} predicted{refused}; {seconds:.1f} s with {describe(predictor.engine)}; model {model.name}")
    terminal.say(NOT_FOR)


def _exit_code(counts: Counter[str]) -> int:
    rejected = sum(number for code, number in counts.items() if code)
    if not counts[""]:
        return NOTHING
    return SOME_REJECTED if rejected else ALL_WELL
