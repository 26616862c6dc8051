"""Whether the numbers of images that `hilum plan` names keep their promise, by simulation.

For each setting: the images that it names, and on so many drawn images how often the 95 % interval holds the truth and
how wide it is on average, or how often the test sees the difference. Patients have several images where it says so,
and these resemble each other. Prints a line a setting and the largest miss.

    python benchmarks/planner_power.py [SETS] [SEED]      # 2,000 sets a setting by default
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from scipy import special

from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import bounded_interval, share_interval
from hilum.evaluation.paired_tests import delong, mcnemar
from hilum.evaluation.planning import Clustering, areas, shares

ALONE, PAIRS = Clustering(), Clustering(2, 2, 0.5)
FEW = Clustering(4, 4, 0.3)

WIDTHS = [(0.9, 0.02, ALONE), (0.9, 0.02, PAIRS), (0.8, 0.03, FEW), (0.97, 0.01, PAIRS), (0.6, 0.05, FEW)]
PAIRED = [
    (0.92, 0.95, 0.05, ALONE), (0.92, 0.95, 0.08, ALONE), (0.92, 0.95, 0.122, PAIRS), (0.8, 0.86, 0.12, FEW),
    (0.9, 0.91, 0.03, ALONE),
]  # fmt: skip
UNPAIRED = [(0.92, 0.95, ALONE), (0.92, 0.95, PAIRS), (0.7, 0.8, FEW), (0.97, 0.985, ALONE)]
AREA_WIDTHS = [(0.9, 0.03, 0.5, ALONE), (0.8, 0.04, 0.3, PAIRS), (0.97, 0.015, 0.4, ALONE)]
AREAS = [
    (0.92, 0.95, 0.5, 0.5, ALONE), (0.92, 0.95, 0.3, 0.8, ALONE), (0.85, 0.9, 0.4, 0.5, PAIRS),
    (0.92, 0.95, 0.5, 0.0, ALONE), (0.75, 0.8, 0.2, 0.3, FEW),
]  # fmt: skip


def draw_hits(generator: np.random.Generator, images: int, share: float, clustering: Clustering) -> np.ndarray:
    """bool `[N]`, patient by patient: an image takes the draw of its patient so often that two correlate as said."""
    return draw_kinds(generator, images, [share, 1 - share], clustering) == 0


def draw_kinds(
    generator: np.random.Generator, images: int, shares_of: list[float], clustering: Clustering
) -> np.ndarray:
    """int `[N]`: a kind an image, each as often as said; images of one patient correlate."""
    patient = patients_of(images, clustering)
    of_patient = generator.choice(len(shares_of), patient.max() + 1, p=shares_of)
    own = generator.choice(len(shares_of), images, p=shares_of)
    return np.where(generator.random(images) < np.sqrt(clustering.correlation), of_patient[patient], own)


def patients_of(images: int, clustering: Clustering) -> np.ndarray:
    """int `[N]`: every patient has the same number of images, the last one perhaps fewer."""
    return np.arange(images) // int(clustering.per_patient)


def draw_scores(
    generator: np.random.Generator,
    images: int,
    prevalence: float,
    places: tuple[float, float],
    correlation: float,
    clustering: Clustering,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two models `[2, N]` and whether each image is of the class `[N]`: normal, correlated, by patient.

    The scores of a patient's images resemble each other so much that what these add to the (difference of) areas
    correlates as `clustering` says.
    """
    patient = patients_of(images, clustering)
    count = patient.max() + 1
    positive = (np.arange(count) < round(prevalence * count))[patient]
    root = np.linalg.cholesky(np.array([[1, correlation], [correlation, 1]]))
    alike = alike_scores(places, correlation, clustering) if clustering.per_patient > 1 else 0.0
    shared, own = generator.normal(size=(2, count))[:, patient], generator.normal(size=(2, images))
    noise = root @ (np.sqrt(alike) * shared + np.sqrt(1 - alike) * own)
    return noise + np.sqrt(2) * special.ndtri(np.array(places))[:, None] * positive, positive


def alike_scores(places: tuple[float, float], correlation: float, clustering: Clustering) -> float:
    """Correlation of the scores of two images of a patient that makes their parts of the area correlate as said.

    Args:
        places: the areas of the two models; twice the same for one model by itself.
        correlation: of the two models' scores.
    """
    first, second = places

    def spread(alike: float) -> float:
        alone = [areas._both_positive(each, each, alike / 2) - each**2 for each in places]
        if first == second or not correlation:
            return sum(alone)
        both = areas._both_positive(first, second, correlation * alike / 2) - first * second
        return sum(alone) - 2 * both

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if spread(middle) < clustering.correlation * spread(1.0) else (low, middle)
    return high


def coverage(share: float, within: float, clustering: Clustering, sets: int, seed: int) -> tuple[int, float, float]:
    """Images named for an interval; how often it holds the truth; half its width on average."""
    images = shares.images_for_width(share, within, clustering)
    generator, held, halves = np.random.default_rng(seed), [], []
    patients = Patients.of([str(each) for each in patients_of(images, clustering)])
    inside = np.ones(images, bool)
    for _ in range(sets):
        low, high, _ = share_interval(draw_hits(generator, images, share, clustering), patients, inside)
        held.append(low <= share <= high)
        halves.append((high - low) / 2)
    return images, float(np.mean(held)), float(np.mean(halves))


def paired(first: float, second: float, discordant: float, clustering: Clustering, sets: int, seed: int):
    """Images named to tell two shares apart; how often McNemar's exact test, patient by patient, does."""
    images = shares.images_to_tell_paired(second - first, discordant, clustering)
    generator = np.random.default_rng(seed)
    wins = (discordant + abs(second - first)) / 2
    patients = None if clustering.per_patient == 1 else Patients.of([*map(str, patients_of(images, clustering))])
    seen = 0
    for _ in range(sets):
        kinds = draw_kinds(generator, images, [wins, discordant - wins, 1 - discordant], clustering)
        seen += mcnemar(kinds == 0, kinds == 1, patients).exact <= 0.05
    return images, seen / sets


def unpaired(first: float, second: float, clustering: Clustering, sets: int, seed: int) -> tuple[int, float]:
    """Images named for each of two sets; how often a z-test sees the difference, with the design effect of the plan."""
    images = shares.images_to_tell_unpaired(first, second - first, clustering)
    generator, seen = np.random.default_rng(seed), 0
    for _ in range(sets):
        found = [draw_hits(generator, images, share, clustering).mean() for share in (first, second)]
        middle = np.mean(found)
        spread = np.sqrt(2 * middle * (1 - middle) * clustering.effect / images)
        seen += abs(found[1] - found[0]) > 1.959964 * spread
    return images, seen / sets


def area_coverage(
    area: float, within: float, prevalence: float, clustering: Clustering, sets: int, seed: int
) -> tuple[int, float, float]:
    """As `coverage`, of an AUROC; the error is DeLong's, which the bootstrap of hilum agrees with."""
    images = areas.images_for_width(area, within, prevalence, clustering)
    generator, held, halves = np.random.default_rng(seed), [], []
    patient = patients_of(images, clustering)
    patients = Patients(patient, patient.max() + 1)
    for _ in range(sets):
        scores, positive = draw_scores(generator, images, prevalence, (area, area), 0.5, clustering)
        found = delong(scores[0], np.zeros(images), positive, patients)
        spread = found.first + found.standard_error * np.array([-1, 1])
        fewer = min(len(np.unique(patient[positive])), len(np.unique(patient[~positive])))
        low, high, _ = bounded_interval(found.first, spread, patients=fewer)
        held.append(low <= area <= high)
        halves.append((high - low) / 2)
    return images, float(np.mean(held)), float(np.mean(halves))


def area_power(
    first: float, second: float, prevalence: float, correlation: float, clustering: Clustering, sets: int, seed: int
) -> tuple[int, float]:
    """Images named to tell two areas apart; how often DeLong's test, or a z-test on other images, does."""
    images = areas.images_to_tell(first, second, prevalence, correlation, clustering)
    generator, seen = np.random.default_rng(seed), 0
    patient = patients_of(images, clustering)
    patients, nothing = Patients(patient, patient.max() + 1), np.zeros(images)
    for _ in range(sets):
        one, positive = draw_scores(generator, images, prevalence, (first, second), correlation, clustering)
        if correlation:
            seen += delong(one[0], one[1], positive, patients).p < 0.05
            continue
        single = [delong(each, nothing, positive, patients) for each in one]
        error = np.hypot(*(each.standard_error for each in single))
        seen += abs(single[0].first - single[1].first) > 1.959964 * error
    return images, seen / sets


def measure(sets: int, seed: int) -> Iterator[tuple[str, float]]:
    """A line a setting, and by how many points it misses."""
    for share, within, clustering in WIDTHS:
        images, held, half = coverage(share, within, clustering, sets, seed)
        words = f"interval ±{100 * within:g} at {share:g}, design effect {clustering.effect:g}"
        line = f"{words}: {images} images, holds {100 * held:.1f} %, half width {100 * half:.2f}"
        yield line, max(abs(100 * held - 95), 100 * abs(half - within))
    for first, second, discordant, clustering in PAIRED:
        images, seen = paired(first, second, discordant, clustering, sets, seed)
        words = f"McNemar {first:g} against {second:g}, discordant {discordant:g}, effect {clustering.effect:g}"
        yield f"{words}: {images} images, power {100 * seen:.1f} %", abs(100 * seen - 80)
    for first, second, clustering in UNPAIRED:
        images, seen = unpaired(first, second, clustering, sets, seed)
        words = f"other images, {first:g} against {second:g}, effect {clustering.effect:g}"
        yield f"{words}: {images} images each, power {100 * seen:.1f} %", abs(100 * seen - 80)
    for area, within, prevalence, clustering in AREA_WIDTHS:
        images, held, half = area_coverage(area, within, prevalence, clustering, sets, seed)
        words = f"AUROC ±{100 * within:g} at {area:g}, prevalence {prevalence:g}, effect {clustering.effect:g}"
        line = f"{words}: {images} images, holds {100 * held:.1f} %, half width {100 * half:.2f}"
        yield line, max(abs(100 * held - 95), 100 * abs(half - within))
    for first, second, prevalence, correlation, clustering in AREAS:
        images, seen = area_power(first, second, prevalence, correlation, clustering, sets, seed)
        words = f"AUROC {first:g} against {second:g}, prevalence {prevalence:g}, correlation {correlation:g}"
        line = f"{words}, effect {clustering.effect:g}: {images} images, power {100 * seen:.1f} %"
        yield line, abs(100 * seen - 80)


if __name__ == "__main__":
    worst = 0.0
    for line, missed in measure(*(int(each) for each in (sys.argv[1:] + ["2000", "0"][len(sys.argv) - 1 :])[:2])):
        worst = max(worst, missed)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    sys.stdout.write(f"largest miss {worst:.1f} points\n")
