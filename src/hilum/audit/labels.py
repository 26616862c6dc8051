"""Labels that models of different kinds agree to be wrong.

Three models score every image outside the test split while it, and its patient, are held out: ridge regression on the
small pictures, the nearest neighbours among their principal components, and ridge regression on grain and grey levels.
After Northcutt, Jiang and Chuang (Journal of Artificial Intelligence Research 2021, 70:1373) scores are compared with
the mean score of the images that carry a class's label, so that a rare class is not suspected for being rare. An image
is listed when all three models prefer the same other class, and together are as sure of it as they are of an average
image of that class. Two classes that the models can hardly tell apart are never suggested for one another. Test images
are left alone: taking away from the test split what models disagree with would make it easier, not better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from hilum.audit.finding import Finding
from hilum.audit.folds import Design, can_hold_out
from hilum.audit.probe import held_out_class_scores
from hilum.audit.views import Views
from hilum.audit.wording import counted, percent
from hilum.data.manifest import Manifest
from hilum.evaluation.bootstrap import Patients
from hilum.evaluation.intervals import share_interval
from hilum.evaluation.metrics import auroc
from hilum.evaluation.values import Estimate

NEIGHBOURS = 15
COMPONENTS = 40
MOST_REFERENCES = 10_000
"""Images among which neighbours are looked for at most; drawn at random from more."""

LEAST_AUROC = 0.88
"""Where not even the best model reaches this between two classes, they take too many right labels for wrong ones."""

MOST_SUSPECTS = 5000
"""Rows of `suspected-labels.csv` at most: more than a person looks through."""

MARKED_SHARE = 0.02
"""When more than this share of a data set's labels is suspected, the finding is a warning."""


@dataclass(frozen=True)
class Suspects:
    """How much each image looks mislabelled.

    Args:
        rows: int64 `[M]`, manifest positions of the images that were looked at.
        suggested: int64 `[M]`, the class that the models together like best beside the given one.
        score: float64 `[M]`, mean over models of how far the suggested class is ahead of the given one, in standard
            deviations of the model; above 0 where it is ahead at all.
        agreed: bool `[M]`, whether the image is listed.
    """

    rows: np.ndarray
    suggested: np.ndarray
    score: np.ndarray
    agreed: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """int64: positions in `rows` of the images that all models agree on, the most telling first."""
        return self.ranking[self.agreed[self.ranking]]

    @property
    def ranking(self) -> np.ndarray:
        """int64 `[M]`: all positions in `rows`, those that all models agree on first."""
        return np.lexsort((-self.score, ~self.agreed))


def find_suspected_labels(manifest: Manifest, views: Views, *, seed: int = 0) -> list[Finding]:
    """The finding `suspected-labels`, or none; its table has the rows of `suspected-labels.csv`.

    Args:
        views: of the manifest's images, in its order.
    """
    suspects = suspect_labels(manifest, views, seed=seed)
    if suspects is None or not suspects.agreed.any():
        return []
    table = suspects_table(manifest, suspects)
    patients = Patients.of(manifest.table["patient_id"].iloc[suspects.rows])
    low, high, _ = share_interval(suspects.agreed, patients, np.ones(len(suspects.rows), bool))
    k, n = int(suspects.agreed.sum()), len(suspects.rows)
    return [
        Finding(
            "suspected-labels",
            "warning" if low > MARKED_SHARE else "note",
            "Labels that may be wrong",
            f"{counted(k, 'image')} of {n:,} outside the test split ({percent(k / n)}) {'looks' if k == 1 else 'look'} "
            "like another class to three models that had not seen them; so do rare and difficult cases.",
            "Look at them, write the right class into the column `corrected` of suspected-labels.csv where the label "
            "is wrong, and give the file back with --corrections.",
            files=tuple(table["image_path"]),
            figures={"share of labels suspected": Estimate(k / n, low, high, k, n)},
            table=tuple(table.head(MOST_SUSPECTS).to_dict("records")),
            count=k,
        )
    ]


def suspects_table(manifest: Manifest, suspects: Suspects) -> pd.DataFrame:
    """`image_path, label, suggested, score, corrected` (empty), the most telling first."""
    order = suspects.order
    rows = manifest.table.iloc[suspects.rows[order]]
    names = np.array(manifest.labels.names, dtype=object)
    return pd.DataFrame(
        {
            "image_path": rows["image_path"].to_numpy(),
            "label": rows["label"].to_numpy(),
            "suggested": names[suspects.suggested[order]],
            "score": np.round(suspects.score[order], 2),
            "corrected": "",
        }
    )


def suspect_labels(manifest: Manifest, views: Views, *, seed: int = 0) -> Suspects | None:
    """Scores every image outside the test split; None where a class has fewer than two patients there, or the models
    can tell no two classes apart."""
    rows = np.flatnonzero((manifest.table["split"] != "test").to_numpy())
    labels = manifest.labels.encode(manifest.table["label"].iloc[rows].tolist())
    patients = Patients.of(manifest.table["patient_id"].iloc[rows])
    if not can_hold_out(labels, patients):
        return None
    design = Design.of(labels, patients, permutations=0, seed=seed)
    scores = model_scores(views.of(rows), design)
    told_apart = pairs_told_apart(labels, scores)
    if not told_apart.any():
        return None
    seen = manifest.table["image_path"].iloc[rows].isin(_looked_at(manifest)).to_numpy()
    suspects = _judge(rows, labels, scores)
    return replace(suspects, agreed=suspects.agreed & told_apart[labels, suspects.suggested] & ~seen)


def _looked_at(manifest: Manifest) -> set[str]:
    """Images whose label a person has corrected or confirmed."""
    known = manifest.facts.get("corrections", {})
    return {*known.get("confirmed", ()), *(each["image_path"] for each in known.get("changed", ()))}


def model_scores(views: Views, design: Design) -> dict[str, np.ndarray]:
    """Held-out scores of the three models, each float64 `[N, K]`."""
    return {
        "pixels": held_out_class_scores(views.small, design),
        "neighbours": neighbour_scores(views.small, design),
        "texture": held_out_class_scores(np.concatenate([views.grain, views.tones], axis=1), design),
    }


def neighbour_scores(pictures: np.ndarray, design: Design, *, k: int = NEIGHBOURS) -> np.ndarray:
    """Share of each class among an image's nearest neighbours in other folds, by principal components of these.

    Args:
        pictures: float32 `[N, D]`.

    Returns:
        float64 `[N, K]`; rows sum to 1.
    """
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    size = min(COMPONENTS, *pictures.shape)
    reduced = PCA(size, whiten=True, svd_solver="randomized", random_state=design.seed).fit_transform(pictures)
    generator = np.random.default_rng([design.seed, 3])
    scores = np.zeros((len(pictures), design.num_classes))
    for fold in range(design.folds):
        seen, held_out = np.flatnonzero(design.fold != fold), np.flatnonzero(design.fold == fold)
        seen = generator.permutation(seen)[:MOST_REFERENCES]
        index = NearestNeighbors(n_neighbors=min(k, len(seen)), algorithm="brute").fit(reduced[seen])
        votes = design.labels[seen][index.kneighbors(reduced[held_out], return_distance=False)]
        scores[held_out] = (votes[:, :, None] == np.arange(design.num_classes)).mean(axis=1)
    return scores


def pairs_told_apart(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """bool `[K, K]`: which classes the models can tell from one another, by the best AUROC on held-out images."""
    classes = range(next(iter(scores.values())).shape[1])
    apart = np.zeros((len(classes), len(classes)), bool)
    for one, other in combinations(classes, 2):
        both = (labels == one) | (labels == other)
        areas = [auroc(each[both, other] - each[both, one], labels[both] == other) for each in scores.values()]
        apart[one, other] = apart[other, one] = max(areas) >= LEAST_AUROC
    return apart


def _judge(rows: np.ndarray, labels: np.ndarray, scores: dict[str, np.ndarray]) -> Suspects:
    """Puts the models' scores together."""
    images = np.arange(len(labels))
    leads, heights = [], []
    for each in scores.values():
        usual = np.array([each[labels == position, position].mean() for position in range(each.shape[1])])
        height = each - usual  # 0 = as an average image of the class, whatever the size of the class
        lead = height - height[images, labels][:, None]
        spread = float(lead[lead != 0].std()) or 1.0
        leads.append(lead / spread)
        heights.append(height / spread)
    together = np.mean(leads, axis=0)
    together[images, labels] = -np.inf
    suggested = together.argmax(axis=1)
    each_prefers = np.all([lead[images, suggested] > 0 for lead in leads], axis=0)
    sure = np.mean(heights, axis=0)[images, suggested] >= 0
    return Suspects(rows, suggested, together[images, suggested], each_prefers & sure)
