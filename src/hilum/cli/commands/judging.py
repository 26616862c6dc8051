"""Commands that judge figures: evaluate, compare, plan, verify, autopsy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from hilum.cli.types import Device, File, Folder, Mapped, Names, Pattern, names_of


def evaluate(
    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")],
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    *,
    labels: str = "folders",
    map: Mapped = (),
    tta: Names = "",
    prevalence: float | None = None,
    recalibrate: Annotated[float | None, tyro.conf.arg(metavar="FRACTION")] = None,
    patient_pattern: Pattern = None,
    replicates: int = 1000,
    out: Folder = None,
    device: Device = "auto",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Try a model on somebody else's data: figures with intervals, at its thresholds, and how far the pictures lie off.

    Example: hilum evaluate runs/chest_xray/best/model.safetensors theirs --map pneumonia=bacteria+virus

    Args:
        model: a model file.
        data: a folder of class folders, or a CSV or Parquet manifest; all its images are used, whatever their split.
        labels: folders, kermany3, or a regular expression with a group named label.
        map: classes of the data that count as one of the model's, or outputs of the model that are added up as one
            class of the data; -=A leaves out class A; may be given again.
        tta: a policy of the model's recipe, or views such as plain,flip; the model file's own when left out.
        prevalence: also give PPV and NPV where this share of the people is ill, such as 0.05.
        recalibrate: fit probabilities and thresholds anew on this share of the patients, and try them on the others.
        patient_pattern: regular expression on the path; its groups make the patient key.
        replicates: of the bootstrap behind the intervals.
        out: a folder for predictions, figures and page; runs/STUDY-RUN-on-DATA when left out.
        device: where to compute.
        seed: of the bootstrap and of the patients drawn to recalibrate.
        json: print one JSON document.
    """
    from hilum.cli.evaluating import run_evaluate_command
    from hilum.workflow.evaluate import TrialOptions

    options = TrialOptions(
        labels=labels,
        mapping=map,
        tta=names_of(tta),
        prevalence=prevalence,
        recalibrate=recalibrate,
        patient_pattern=patient_pattern,
        out=out,
        device=device,
        seed=seed,
        replicates=replicates,
    )
    return run_evaluate_command(model, data, options, as_json=json)


def compare(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    *,
    split: Literal["val", "test"] = "val",
    replicates: int = 1000,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Compare runs in pairs on the same images, and say which cannot be told apart.

    Example: hilum compare runs/chest_xray/best runs/chest_xray/frozen

    Args:
        runs: run folders of one study, or predictions files.
        split: whose predictions.
        replicates: of the patient-level bootstrap behind the intervals.
        out: also write the comparison there, as JSON.
        seed: of the bootstrap.
        json: print one JSON document.
    """
    from hilum.cli.comparing import run_compare_command

    return run_compare_command(runs, split=split, replicates=replicates, seed=seed, out=out, as_json=json)


def plan(
    *,
    study: Folder = None,
    figure: Literal["accuracy", "sensitivity", "specificity", "auroc", "all"] = "all",
    label: str = "",
    expect: float | None = None,
    within: float = 0.02,
    against: float | None = None,
    discordant: Annotated[str, tyro.conf.arg(metavar="SHARE,SHARE")] = "",
    score_correlation: Annotated[str, tyro.conf.arg(metavar="R,R")] = "",
    images: int | None = None,
    patients: int | None = None,
    per_patient: float | None = None,
    correlation: float | None = None,
    design_effect: float | None = None,
    prevalence: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    json: bool = False,
) -> int:
    """Say how many images and patients a question needs, or what so many can decide.

    Example: hilum plan --expect 0.92 --against 0.95 --per-patient 1.5 --correlation 0.5

    Args:
        study: a study's folder as a pilot: figures, clustering, class proportions and agreement are taken from it.
        figure: what is to be measured; all is accuracy, and with --study also the sensitivity of each class and AUROC.
        label: only this class of the study.
        expect: the figure that is expected, such as 0.9; the study's own with --study.
        within: half the width that its interval may have, such as 0.02 for 2 points.
        against: the figure of another model that it is to be told apart from.
        discordant: shares of the images on which just one of the two models is right; a likely range when left out.
        score_correlation: for AUROC, how the two models' scores correlate within a class; 0.3,0.5,0.8 when left out.
        images: ask the other way round: what this many images decide.
        patients: the same for this many patients.
        per_patient: images a patient.
        correlation: of two images of one patient (both called right or not), from 0 to 1; 1 when left out.
        design_effect: instead of --correlation: by how much patients with several images inflate the variance.
        prevalence: share of the class among all images, for sensitivity, specificity and AUROC.
        power: with which a difference is to be seen.
        level: of the intervals, and 1 minus the error of the first kind.
        out: also write the answers there, as JSON.
        json: print one JSON document.
    """
    from hilum.api import plan as make_plan
    from hilum.cli.planning import numbers_of, run_plan_command

    planned = make_plan(
        study=study,
        figure=None if figure == "all" else figure,
        label=label,
        expect=expect,
        within=within,
        against=against,
        discordant=numbers_of(discordant, "--discordant"),
        score_correlation=numbers_of(score_correlation, "--score-correlation"),
        images=images,
        patients=patients,
        per_patient=per_patient,
        correlation=correlation,
        design_effect=design_effect,
        prevalence=prevalence,
        power=power,
        level=level,
    )
    return run_plan_command(planned, out=out, as_json=json)


def verify(
    study: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="STUDY")],
    /,
    *,
    data: Folder = None,
    out: File = None,
    json: bool = False,
) -> int:
    """Compute every printed number again from predictions, manifest and pictures; exit 5 if anything differs.

    Example: hilum verify runs/chest_xray

    Args:
        study: a folder of hilum study, train, tune, audit or evaluate.
        data: where the pictures lie now, if they were moved.
        out: also write the result there, as JSON.
        json: print one JSON document.
    """
    from hilum.cli.verifying import run_verify_command

    return run_verify_command(study, data, out, as_json=json)


def autopsy(
    report: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="FILE|-|FIGURES")] = (),
    /,
    *,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    json: bool = False,
) -> int:
    """Say whether a printed confusion matrix and the figures beside it can all be true.

    Example: hilum autopsy "87 147 / 128 262, accuracy 86.7, n 234 390"

    Args:
        report: a file (JSON, CSV or text), - for standard input, a study's folder, or the figures themselves.
        out: also write a page (.html) or the findings (.json) there.
        json: print one JSON document.
    """
    from hilum.cli.autopsying import run_autopsy_command

    return run_autopsy_command(report, out=out, as_json=json)
