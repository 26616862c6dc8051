"""Who is held out together, and what labels shuffled by patient look like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hilum.evaluation.bootstrap import Patients

FOLDS = 5
PERMUTATIONS = 199
"""The smallest p-value is one in two hundred: enough for an alarm level of 1 %."""


@dataclass(frozen=True)
class Design:
    """The folds and the shuffled labels that all probes of one question share.

    Sharing them is what makes the correction for many probes exact: whatever probes have in common, they have in common
    under every shuffle too.

    Args:
        labels: int64 `[N]` in [0, num_classes).
        patients: who each image is of.
        fold: int64 `[N]`, the fold that an image is held out in; a patient's images are held out together.
        shuffled: int `[P, N]`, labels dealt anew among the patients of each fold.
        num_classes: K.
        seed: of everything that was drawn.
    """

    labels: np.ndarray
    patients: Patients
    fold: np.ndarray
    shuffled: np.ndarray
    num_classes: int
    seed: int

    @classmethod
    def of(
        cls,
        labels: np.ndarray,
        patients: Patients,
        *,
        strata: np.ndarray | None = None,
        folds: int = FOLDS,
        permutations: int = PERMUTATIONS,
        seed: int = 0,
    ) -> Design:
        """Draws folds and shuffles.

        Args:
            labels: int `[N]`, every class in [0, K) has images of at least two patients, see `can_hold_out`.
            strata: int `[N]`, one number a patient; labels are shuffled within a stratum only, and folds balance them.
        """
        labels = np.asarray(labels, dtype=np.int64)
        strata = np.zeros_like(labels) if strata is None else strata
        smallest = min(patients.among(labels == each) for each in np.unique(labels))
        cells = np.unique(strata, return_inverse=True)[1] * (labels.max() + 1) + labels
        fold = grouped_folds(cells, patients.index, min(folds, smallest), seed)
        within = fold * (strata.max() + 1) + strata
        shuffled = shuffled_labels(labels, patients.index, within, permutations, seed)
        return cls(labels, patients, fold, shuffled, int(labels.max()) + 1, seed)

    def of_rows(self, rows: np.ndarray) -> Design:
        """The same design seen by some images only.

        Args:
            rows: bool `[N]`; in the shuffles these images have had labels of one another only, see `strata`.
        """
        patients = Patients.of(self.patients.index[rows])
        fold = np.unique(self.fold[rows], return_inverse=True)[1]
        return Design(self.labels[rows], patients, fold, self.shuffled[:, rows], self.num_classes, self.seed)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def folds(self) -> int:
        return int(self.fold.max()) + 1

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """The classes that a score is needed for: with two classes the second one says it all."""
        return (1,) if self.num_classes == 2 else tuple(range(self.num_classes))


def can_hold_out(labels: np.ndarray, patients: Patients, *, least: int = 2) -> bool:
    """Whether there are two classes at least, each with images of `least` patients or more."""
    classes = np.unique(labels)
    return len(classes) > 1 and all(patients.among(labels == each) >= least for each in classes)


def grouped_folds(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Deals whole groups to folds, so that each class's images are spread evenly.

    Within each class the groups come in random order, the large ones first, each to the fold that has the fewest images
    of the class so far.

    Args:
        labels: int `[N]`; a group counts as the class that most of its images have.
        groups: int `[N]` in [0, G), every number used.

    Returns:
        int64 `[N]` in [0, folds).
    """
    counts = np.zeros((groups.max() + 1, labels.max() + 1), dtype=np.int64)
    np.add.at(counts, (groups, labels), 1)
    sizes, stratum = counts.sum(axis=1), counts.argmax(axis=1)
    order = np.random.default_rng([seed, 1]).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold = np.zeros(len(sizes), dtype=np.int64)
    for each in np.unique(stratum):
        load = np.zeros(folds, dtype=np.int64)
        for group in order[stratum[order] == each]:
            fold[group] = load.argmin()
            load[fold[group]] += sizes[group]
    return fold[groups]


def shuffled_labels(labels: np.ndarray, groups: np.ndarray, within: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Labels as they might have been if pictures had nothing to do with them.

    Every group takes over the labels of another group of the same fold (in a circle from a random start, where the two
    differ in size): images of a group keep belonging together, and each fold keeps as many groups of each class as it
    was dealt, so that a shuffle is held out on the same terms as the true labels.

    Args:
        within: int `[N]`, one number a group; only groups of one number exchange labels.

    Returns:
        int16 `[count, N]`.
    """
    generator = np.random.default_rng([seed, 2])
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(groups), dtype=np.int64)  # of an image among those of its group
    place[order] = np.arange(len(groups)) - starts[groups[order]]
    cell = within[order[starts]]
    members = [np.flatnonzero(cell == each) for each in np.unique(cell)]
    shuffled = np.empty((count, len(labels)), dtype=np.int16)
    giver = np.empty(len(sizes), dtype=np.int64)
    for row in shuffled:
        for each in members:
            giver[each] = generator.permutation(each)
        turn = generator.integers(0, sizes[giver])
        within = (place + turn[groups]) % sizes[giver][groups]
        row[:] = labels[order[starts[giver][groups] + within]]
    return shuffled
