"""Are there enough images to decide anything by?"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from hilum.audit.finding import Finding
from hilum.audit.wording import listed
from hilum.data.manifest import Manifest
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import wilson_interval
from hilum.evaluation.power import detectable_paired, detectable_unpaired, paired_power
from hilum.evaluation.values import Estimate

SHARE, DISCORDANT = 0.9, 0.1
"""What is assumed: an accuracy (or sensitivity) of 90 %, and two models of which just one is right on a tenth of the
images."""

FEW_OF_A_CLASS = 100
"""Below this many images a sensitivity of 90 % has an interval of more than 12 points."""

COARSE = 0.05
"""A set that cannot see a gain of five points in a paired comparison can hardly choose between models."""

_WORDS = {"val": "validation", "test": "test"}


def find_size_faults(manifest: Manifest, *, seed: int = 0) -> list[Finding]:
    """Findings `too-few-to-decide`, `few-of-a-class`, `what-the-sets-can-decide`.

    Args:
        seed: not used: nothing here is drawn.
    """
    sets = {name: manifest.split(name) for name in ("val", "test") if len(manifest.split(name))}
    rows = {name: _decides(part) for name, part in sets.items()}
    found = [_too_few(name, row) for name, row in rows.items()]
    found += [_few_of_a_class(manifest, name, part) for name, part in sets.items()]
    if rows:
        found.append(_what_can_be_decided(manifest, sets, rows))
    return [finding for finding in found if finding]


def _worth(part: pd.DataFrame) -> float:
    """Independent images that a set is worth: images of one patient stand and fall together."""
    patients = Patients.of(part["patient_id"].tolist())
    return patients.effective(part["label"].notna().to_numpy())


def _decides(part: pd.DataFrame) -> dict[str, Any]:
    worth = _worth(part)
    return {
        "images": len(part),
        "patients": int(part["patient_id"].nunique()),
        "worth": worth,
        "paired": detectable_paired(worth, DISCORDANT),
        "unpaired": detectable_unpaired(worth, SHARE),
        "interval": wilson_interval(SHARE, worth),
    }


def _too_few(name: str, row: dict[str, Any]) -> Finding | None:
    paired = row["paired"]
    if paired <= COARSE:
        return None
    seen = f"only a gain of {100 * paired:.0f} points" if math.isfinite(paired) else "no gain up to 10 points"
    chance = paired_power(row["worth"], DISCORDANT, 0.025)
    return Finding(
        code="too-few-to-decide",
        severity="warning",
        title=f"The {_WORDS[name]} set is too small to choose by",
        sentence=f"{row['images']:,} {_WORDS[name]} images, worth {row['worth']:.0f} independent ones, show {seen} "
        f"with 80 % power when two models are compared; 2.5 points are seen in {100 * chance:.0f} % of the cases.",
        way_out="Collect more (`hilum plan` says how many), use folds instead of one split, or call models that lie "
        "this close equal.",
        figures={"smallest gain": Estimate(paired, math.nan, math.nan, n=row["images"])},
        count=row["images"],
    )


def _few_of_a_class(manifest: Manifest, name: str, part: pd.DataFrame) -> Finding | None:
    counts = {label: int((part["label"] == label).sum()) for label in manifest.labels}
    few = [label for label, count in counts.items() if count < FEW_OF_A_CLASS]
    if not few:
        return None
    words = []
    for label in few[:4]:
        low, high, _basis = wilson_interval(SHARE, counts[label]) if counts[label] else (0.0, 1.0, "")
        words.append(f"{counts[label]:,} of {label} (90 % would come as [{100 * low:.0f}, {100 * high:.0f}])")
    return Finding(
        code="few-of-a-class",
        severity="warning",
        title=f"Few {_WORDS[name]} images of a class",
        sentence=f"There are only {listed(words)} in the {_WORDS[name]} set.",
        way_out="Read its figures with their intervals, or collect more of it.",
        count=len(few),
    )


def _what_can_be_decided(manifest: Manifest, sets: dict[str, pd.DataFrame], rows: dict[str, dict]) -> Finding:
    parts = [
        f"{_WORDS[name]} ({row['images']:,} images, worth {row['worth']:.0f}) a gain of {_points(row['paired'])} "
        f"on the same images, {_points(row['unpaired'])} between sets of other images"
        for name, row in rows.items()
    ]
    figures = {
        f"{name}/{kind}": Estimate(row[kind], math.nan, math.nan, n=row["images"])
        for name, row in rows.items()
        for kind in ("paired", "unpaired")
    }
    return Finding(
        code="what-the-sets-can-decide",
        severity="note",
        title="What the sets can decide",
        sentence=f"With 80 % power {' and '.join(parts)} can be seen, for accuracies near 90 % and two models that "
        "disagree on a tenth of the images. `hilum plan` answers the other way round: how many images a question "
        "needs.",
        way_out="Do not rank models that lie closer than that.",
        figures=figures,
        table=tuple(_expected(manifest, sets)),
        count=sum(map(len, sets.values())),
    )


def _expected(manifest: Manifest, sets: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """For each set and class, the interval that a sensitivity of 90 % would get."""
    rows = []
    for name, part in sets.items():
        for label in manifest.labels:
            of_class = part[part["label"] == label]
            if len(of_class):
                low, high, _basis = wilson_interval(SHARE, _worth(of_class))
                rows.append(
                    {
                        "set": _WORDS[name],
                        "class": label,
                        "images": len(of_class),
                        "patients": int(of_class["patient_id"].nunique()),
                        "90 % would come as": f"{100 * low:.0f} to {100 * high:.0f} %",
                    }
                )
    return rows


def _points(difference: float) -> str:
    return f"{100 * difference:.1f} points" if math.isfinite(difference) else "more than 10 points"
