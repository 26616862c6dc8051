"""How often 95 % intervals hold the truth: a patient-level percentile bootstrap beside the intervals that hilum prints.

Drawn patients have one or more images that resemble each other. Prints one line a setting with the coverage of both, in
percent. Measures what `docs/decisions/0003-patient-level-intervals.md` states.

    python benchmarks/interval_coverage.py [SETS]      # 500 sets a setting by default, about 8 minutes on a core
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy import special, stats

from hilum.evaluation.bootstrap import Patients, resampled
from hilum.evaluation.estimates import Estimates
from hilum.evaluation.figures import OVERALL, Figures
from hilum.evaluation.intervals import percentile_interval, share_interval

REPLICATES = 400


def measure_shares(sets: int) -> Iterator[str]:
    """Accuracy of a model whose patients are right with a beta-distributed probability of their own."""
    for patients, share, (alike, extra) in product((30, 100, 400), (0.6, 0.9, 0.97), ((1e-6, 0), (0.3, 1), (0.8, 2))):
        held = []
        for seed in range(sets):
            generator = np.random.default_rng(seed)
            patient = np.repeat(np.arange(patients), 1 + generator.poisson(extra, patients))
            own = generator.beta(share * (1 - alike) / alike, (1 - share) * (1 - alike) / alike, patients)
            hit, who = generator.random(len(patient)) < own[patient], Patients(patient, patients)
            (weights,) = resampled(who, replicates=REPLICATES, seed=seed)
            ends = (
                percentile_interval(weights @ hit / weights.sum(axis=1)),
                share_interval(hit, who, np.ones(len(hit), bool)),
            )
            held.append([low <= share <= high for low, high, _ in ends])
        yield f"share {share} patients {patients} alike {alike:.1f}: {_percent(held)}"


def measure_auroc(sets: int) -> Iterator[str]:
    """Binary scores with normal or long-tailed (t, 3 degrees of freedom) noise; one or more images a patient."""
    settings = product((60, 120, 400), (0.5, 0.15), (0.75, 0.95, 0.99, 0.999), ("normal", "long-tailed"))
    for patients, prevalence, truth, tail in settings:
        shift = _shift(truth, tail)
        held = []
        for seed in range(sets):
            generator = np.random.default_rng(seed)
            patient = np.repeat(np.arange(patients), 1 + generator.poisson(0.5, patients))
            positive = (generator.random(patients) < prevalence)[patient]
            if positive.all() or not positive.any():
                continue
            noise = _noise(generator, tail, patients)[patient]
            if tail == "normal":  # images of a patient differ a little
                noise = np.sqrt(0.6) * noise + np.sqrt(0.4) * generator.normal(size=len(patient))
            score = shift * positive + noise
            held.append(_both(positive.astype(int), score, patient, patients, seed, truth))
        yield f"auroc {truth} patients {patients} prevalence {prevalence} {tail}: {_percent(held)}"


def measure_evaluations(sets: int) -> Iterator[str]:
    """All figures of three-class and binary models, against the same figures of 150,000 images."""
    for patients, shares, skill in (
        (60, (0.3, 0.5, 0.2), 1.5),
        (150, (0.3, 0.5, 0.2), 2.0),
        (400, (0.3, 0.5, 0.2), 3.5),
        (120, (0.6, 0.4), 2.0),
        (300, (0.9, 0.1), 2.5),
        (120, (0.6, 0.4), 4.0),
    ):
        truth = _estimates(150_000, shares, skill, seed=99, extra=0, replicates=2).values
        held: dict[str, list] = {name: [] for name in OVERALL}
        for seed in range(sets):
            estimates = _estimates(patients, shares, skill, seed, extra=0.5, replicates=REPLICATES)
            for name in OVERALL:
                low, high, _ = percentile_interval(estimates.replicates[name])
                ours, true = estimates.overall(name)[0], truth[name]
                held[name].append([low <= true <= high, ours.ci_low <= true <= ours.ci_high])
        lines = ", ".join(f"{name} {_percent(each)}" for name, each in held.items())
        yield f"classes {shares} patients {patients} accuracy {truth['accuracy']:.3f}: {lines}"


def _estimates(patients: int, shares, skill: float, seed: int, *, extra: float, replicates: int) -> Estimates:
    generator, classes = np.random.default_rng(seed), len(shares)
    patient = np.repeat(np.arange(patients), 1 + generator.poisson(extra, patients))
    target = generator.choice(classes, patients, p=shares)[patient]
    noise = np.sqrt(0.5) * generator.normal(size=(patients, classes))[patient]
    noise += np.sqrt(0.5) * generator.normal(size=(len(patient), classes))
    probs = special.softmax(skill * np.eye(classes)[target] + noise, axis=1)
    figures = Figures(target, probs, 1 if classes == 2 else None)
    return Estimates(figures, Patients(patient, patients), replicates=replicates, seed=seed, level=0.95)


def _both(target: np.ndarray, score: np.ndarray, patient: np.ndarray, patients: int, seed: int, truth: float) -> list:
    probs = special.expit(score)
    figures = Figures(target, np.column_stack([1 - probs, probs]), 1)
    estimates = Estimates(figures, Patients(patient, patients), replicates=REPLICATES, seed=seed, level=0.95)
    low, high, _ = percentile_interval(estimates.replicates["auroc"])
    ours = estimates.overall("auroc")[0]
    return [low <= truth <= high, ours.ci_low <= truth <= ours.ci_high]


def _noise(generator: np.random.Generator, tail: str, size: int) -> np.ndarray:
    return generator.normal(size=size) if tail == "normal" else generator.standard_t(3, size)


def _shift(truth: float, tail: str) -> float:
    """How far apart the two kinds must lie for this AUROC."""
    if tail == "normal":
        return float(stats.norm.ppf(truth) * np.sqrt(2))
    generator = np.random.default_rng(0)
    return -float(np.quantile(_noise(generator, tail, 2_000_000) - _noise(generator, tail, 2_000_000), 1 - truth))


def _percent(held: list) -> str:
    percentile, ours = 100 * np.mean(held, axis=0)
    return f"percentile {percentile:.1f}, hilum {ours:.1f}"


if __name__ == "__main__":
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for part in (measure_shares, measure_auroc, measure_evaluations):
        for line in part(sets):
            sys.stdout.write(line + "\n")
