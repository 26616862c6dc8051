"""Whether tests and intervals of comparisons keep their promise for patients whose images resemble each other.

Prints one line a setting: how often DeLong's test and McNemar's mid-p test reject at 5 % where two models are equally
good, how often the 95 % interval of a difference of AUROC or accuracy holds the truth, and how often five equal models
are not all in one group.

    python benchmarks/comparison_tests.py [SETS]      # 500 sets a setting by default, about 6 minutes on a core

`HEALTHY_SETS=200 pytest tests/evaluation/test_integrity.py -k healthy` looks at guards on 200 healthy drawn studies.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

from hilum.data.predictions import Predictions
from hilum.evaluation.comparison import compare
from hilum.labels import LabelSet

LABELS = LabelSet(("normal", "viral"))


def draw_models(generator: np.random.Generator, patients: int, extra: float, skills: list[float]) -> list[Predictions]:
    """Models of given skill on the same images; each makes mistakes of its own, alike within a patient."""
    patient = np.repeat(np.arange(patients), 1 + generator.poisson(extra, patients))
    target = (generator.random(patients) < 0.4)[patient].astype(int)
    rows = pd.DataFrame(
        {
            "image_path": [f"{i}.png" for i in range(len(patient))],
            "patient_id": [f"p{i}" for i in patient],
            "split": "val",
            "label": np.array(LABELS.names)[target],
        }
    )
    shared = generator.normal(size=patients)[patient]
    return [_model(generator, rows, target, patient, shared, skill) for skill in skills]


def _model(generator, rows, target, patient, shared, skill) -> Predictions:
    own = generator.normal(size=patient.max() + 1)[patient]
    score = 2 * skill * (target - 0.5) + shared + 0.7 * own + 0.7 * generator.normal(size=len(patient))
    return Predictions.of(rows, np.column_stack([-score / 2, score / 2]), LABELS)


def measure(sets: int) -> Iterator[str]:
    """One line a setting."""
    nothing = {"auroc": 0.0, "accuracy": 0.0}
    for patients, extra, skills in product((60, 150, 500), (0.0, 1.0), ([1.0, 1.0], [1.3, 1.0], [2.5, 2.5])):
        truth = nothing if skills[0] == skills[1] else _difference(np.random.default_rng(99), skills)
        rejected, held = [], []
        for seed in range(sets):
            models = draw_models(np.random.default_rng(seed), patients, extra, skills)
            pair = compare(dict(zip("ab", models, strict=True)), replicates=400, seed=seed).pairs[0]
            sign = 1 if pair.first == "a" else -1
            rejected.append((pair.delong_p < 0.05, pair.mcnemar.mid < 0.05))
            held.append([_holds(pair.difference[name], sign * truth[name]) for name in truth])
        words = ", ".join(f"{name} {100 * share:.1f}" for name, share in zip(truth, np.mean(held, axis=0), strict=True))
        delong, calls = 100 * np.mean(rejected, axis=0)
        where = f"patients {patients} extra {extra:g} skills {skills}"
        yield f"{where}: rejected DeLong {delong:.1f}, McNemar {calls:.1f}; held {words}"
    for patients in (60, 300):
        apart = 0
        for seed in range(sets):
            models = draw_models(np.random.default_rng(seed), patients, 0.5, [1.0] * 5)
            apart += set(compare(dict(zip("abcde", models, strict=True)), replicates=2).groups.values()) != {1}
        yield f"five equal models, {patients} patients: told apart in {100 * apart / sets:.1f} %"


def _difference(generator: np.random.Generator, skills: list[float]) -> dict[str, float]:
    first, second = draw_models(generator, 60_000, 0.0, skills)
    found = compare({"a": first, "b": second}, replicates=2)
    return {name: found.figures["a"][name] - found.figures["b"][name] for name in ("auroc", "accuracy")}


def _holds(estimate, truth: float) -> bool:
    return estimate.ci_low <= truth <= estimate.ci_high


if __name__ == "__main__":
    for line in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500):
        sys.stdout.write(line + "\n")
