"""Exact nearest neighbours, and the classes that they vote for.

Distances of all pairs come from one matrix product a chunk, as |q|^2 + |x|^2 - 2 q.x in float32, which is fast and a
little wrong; the best few are measured again in float64, and where rounding could have hidden a nearer one, all are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np

from hilum.errors import DataError, UsageError

METRICS = ("euclidean", "cosine")
WEIGHTS = ("uniform", "distance")
CANDIDATES = (1, 3, 5, 7, 9, 15, 25, 35, 51)
"""Numbers of neighbours among which validation chooses."""
CHUNK = 16_384
"""Rows of the index in one matrix product."""
BLOCK = 64
"""Distances in a block, of which only those with the smallest minima are sorted."""
SPARE = 16
"""Candidates beyond k, of which those are measured again that rounding leaves in question."""
ONEDNN = 64
"""Queries from which on oneDNN's product is faster than that of torch's BLAS, the index's reordering included."""
NUDGE, FLOOR = 1e-4, 1e-6
"""Weight of the tie-break in a probability, far less than one vote; and what a class without any vote gets."""

Metric = Literal["euclidean", "cosine"]


class Found(NamedTuple):
    """The nearest rows of an index for each query, nearest first; equal distances in the order of the index.

    Args:
        positions: int64 `[Q, k]`.
        distances: float64 `[Q, k]`: Euclidean, or 1 - cosine.
    """

    positions: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class NeighborSettings:
    """How neighbours vote.

    Args:
        k: how many.
        metric: of the distance.
        weights: `uniform`, or `distance`: a vote counts 1 / distance, and neighbours at distance 0 alone where there
            are any, as in scikit-learn.

    Raises:
        UsageError: a number or name that is none of these.
    """

    k: int
    metric: str = "euclidean"
    weights: str = "uniform"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError("k", expected="at least 1 neighbour", found=str(self.k))
        for what, value, known in (("metric", self.metric, METRICS), ("weights", self.weights, WEIGHTS)):
            if value not in known:
                raise UsageError(what, expected=f"one of {', '.join(known)}", found=value)

    def __str__(self) -> str:
        votes = "votes weighted by 1 / distance" if self.weights == "distance" else "one vote each"
        return f"k = {self.k}, {self.metric} distance, {votes}"


def find_neighbors(index: Any, queries: np.ndarray, k: int, *, metric: str = "euclidean", chunk: int = CHUNK) -> Found:
    """The k nearest rows of an index, exactly.

    Args:
        index: `[N, D]`, float16 or float32, in memory or memory-mapped: a chunk of it is copied at a time.
        queries: float `[Q, D]`.
        k: at most N; more gives N.

    Raises:
        DataError: no index, or queries of another width.
    """
    queries = np.asarray(queries, np.float32)
    if not len(index) or queries.ndim != 2 or queries.shape[1] != index.shape[1]:
        raise DataError("neighbours", expected=f"queries of width {index.shape[1]}", found=f"{list(queries.shape)}")
    k = min(k, len(index))
    if not len(queries):
        return Found(np.empty((0, k), np.int64), np.empty((0, k)))
    asked = _prepared(queries, metric)
    positions, rough, lengths, largest = _candidates(index, asked, min(k + SPARE, len(index)), metric, chunk)
    # Rounding errors of a float32 dot product add up like a random walk; this is eight times as far as they get.
    reach = (lengths + largest) ** 2 * 8 * (asked.shape[1] + 8) ** 0.5 * np.finfo(np.float32).eps
    within = np.partition(rough, k - 1, axis=1)[:, k - 1] + 2 * reach  # farther ones are none of the k nearest
    squared = _measured(index, asked, positions, rough <= within[:, None], metric)
    nearest = np.take_along_axis(squared, order := np.lexsort((positions, squared), axis=1)[:, :k], 1)
    chosen = np.take_along_axis(positions, order, 1)
    doubtful = np.flatnonzero((nearest[:, -1] >= rough.max(1) - reach) & (positions.shape[1] < len(index)))
    for row in doubtful:
        chosen[row], nearest[row] = _one_by_one(index, asked[row], k, metric, chunk)
    return Found(chosen, nearest / 2 if metric == "cosine" else np.sqrt(nearest))


def _prepared(rows: np.ndarray, metric: str) -> np.ndarray:
    """float32 rows; for cosine of length 1, so that half the squared distance is 1 - cosine."""
    if rows.dtype == np.float16:
        import torch

        rows = torch.from_numpy(np.array(rows)).float().numpy()  # several times as fast as numpy
    rows = np.require(rows, np.float32, ["C", "W"])
    if metric == "euclidean":
        return rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def _chunks(index: Any, metric: str, chunk: int) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(index), chunk):
        yield start, _prepared(index[start : start + chunk], metric)


def _candidates(
    index: Any, queries: np.ndarray, count: int, metric: str, chunk: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The rows that look nearest in float32.

    Everything is moved to the middle of the index first: the shorter the vectors, the smaller the rounding.

    Returns:
        Positions `[Q, count]` in no order, their squared distances `[Q, count]`, the length of each query `[Q]`, and
        that of the longest index row.
    """
    import torch

    middle = _prepared(index[:chunk], metric).mean(axis=0)
    asked = torch.from_numpy(queries - middle)
    best = torch.full((len(queries), 0), 0.0)
    where = torch.empty((len(queries), 0), dtype=torch.int64)
    largest = 0.0
    for start, rows in _chunks(index, metric, chunk):
        points = torch.from_numpy(rows - middle)
        lengths = torch.linalg.vector_norm(points, dim=1).square()
        largest = max(largest, float(lengths.max()) ** 0.5)
        values, places = _smallest(_scores(asked, points, lengths), min(count, len(rows)))
        best, where = torch.cat([best, values], 1), torch.cat([where, places + start], 1)
        if best.shape[1] > count:
            kept = best.topk(count, dim=1, largest=False)
            best, where = kept.values, where.gather(1, kept.indices)
    lengths_asked = np.linalg.norm(asked.numpy().astype(np.float64), axis=1)
    rough = best.numpy().astype(np.float64) + lengths_asked[:, None] ** 2
    return where.numpy(), rough, lengths_asked, largest


def _scores(asked: Any, points: Any, lengths: Any) -> Any:
    """|x|^2 - 2 q.x, `[Q, N]`: the query's own length changes no order.

    oneDNN's product in float32 is twice as fast as MKL's on an AMD processor.
    """
    import torch

    if len(asked) < ONEDNN or not torch.backends.mkldnn.is_available():
        return torch.addmm(lengths[None], asked, points.T, alpha=-2)
    return torch.ops.aten.mkldnn_linear((-2 * asked).to_mkldnn(), points, lengths).to_dense()


def _smallest(scores: Any, count: int) -> tuple[Any, Any]:
    """Values and places of the `count` smallest of each row, in no order.

    The smallest numbers lie in the blocks with the smallest minima, so only that many blocks are sorted.
    """
    rows, width = scores.shape
    blocks = width // BLOCK
    if blocks <= 2 * count:
        return scores.topk(count, dim=1, largest=False)
    whole = scores[:, : blocks * BLOCK].reshape(rows, blocks, BLOCK)
    chosen = whole.amin(2).topk(count, dim=1, largest=False).indices
    some = whole.gather(1, chosen[:, :, None].expand(-1, -1, BLOCK)).reshape(rows, -1)
    values, found = some.topk(count, dim=1, largest=False)
    places = chosen.gather(1, found // BLOCK) * BLOCK + found % BLOCK
    if blocks * BLOCK == width:
        return values, places
    import torch

    rest = scores[:, blocks * BLOCK :]
    over = torch.arange(blocks * BLOCK, width).expand(rows, -1)
    kept = torch.cat([values, rest], 1).topk(count, dim=1, largest=False)
    return kept.values, torch.cat([places, over], 1).gather(1, kept.indices)


def _measured(index: Any, queries: np.ndarray, positions: np.ndarray, asked: np.ndarray, metric: str) -> np.ndarray:
    """Squared distances to the rows that are asked for (bool `[Q, M]`), float64 `[Q, M]`; infinite for the others."""
    squared = np.full(positions.shape, np.inf)
    for row, query in enumerate(queries.astype(np.float64)):
        some = np.flatnonzero(asked[row])
        some = some[np.argsort(positions[row, some])]  # a memory map is read forwards
        apart = _prepared(index[positions[row, some]], metric).astype(np.float64)
        apart -= query
        squared[row, some] = np.einsum("md,md->m", apart, apart)
    return squared


def _one_by_one(index: Any, query: np.ndarray, k: int, metric: str, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    parts = [((rows.astype(np.float64) - query) ** 2).sum(1) for _, rows in _chunks(index, metric, chunk)]
    squared = np.concatenate(parts)
    order = np.argsort(squared, kind="stable")[:k]
    return order, squared[order]


def vote(found: Found, targets: np.ndarray, settings: NeighborSettings, num_classes: int) -> np.ndarray:
    """Shares of the classes among the nearest `settings.k`, float64 `[Q, K]`, rows that sum to 1.

    Args:
        found: at least k neighbours a query, unless the index has fewer.
        targets: int `[N]`, the classes of the index.
    """
    positions, weights = found.positions[:, : settings.k], np.ones(found.positions[:, : settings.k].shape)
    if settings.weights == "distance":
        distances = found.distances[:, : settings.k]
        exact = (distances == 0).any(1, keepdims=True)
        weights = np.where(exact, distances == 0, 1 / np.where(distances == 0, 1, distances))
    votes = np.zeros((len(positions), num_classes))
    for rank in range(positions.shape[1]):
        votes[np.arange(len(positions)), targets[positions[:, rank]]] += weights[:, rank]
    return votes / votes.sum(1, keepdims=True)


def decide(found: Found, targets: np.ndarray, settings: NeighborSettings, num_classes: int) -> np.ndarray:
    """Probabilities whose largest is the answer, float64 `[Q, K]`: the votes, with ties decided.

    Of classes with equally many votes the one with the nearer neighbours wins: the n-th nearest adds 2^-n to its class,
    weighted so little that it never outweighs a vote. A class without a vote keeps a trace, so that its logarithm is a
    number.
    """
    k = min(settings.k, found.positions.shape[1])
    ranks = np.zeros((len(found.positions), num_classes))
    for rank in range(min(k, 40)):
        ranks[np.arange(len(ranks)), targets[found.positions[:, rank]]] += 0.5**rank
    ranks /= ranks.sum(1, keepdims=True)
    probs = (1 - NUDGE) * vote(found, targets, settings, num_classes) + NUDGE * ranks + FLOOR
    return probs / probs.sum(1, keepdims=True)


@dataclass(frozen=True)
class Choice:
    """What validation chose.

    Args:
        settings: the winner.
        table: one entry a setting that was tried, best first: `k`, `metric`, `weights`, `right`, `accuracy`,
            `balanced_accuracy`.
        images: how many validation images decided.
    """

    settings: NeighborSettings
    table: tuple[Mapping[str, Any], ...]
    images: int


def choose_settings(
    index: Any,
    targets: np.ndarray,
    queries: np.ndarray,
    truth: np.ndarray,
    num_classes: int,
    *,
    k: int = 0,
    metrics: Sequence[str] = METRICS,
    weights: Sequence[str] = WEIGHTS,
) -> Choice:
    """The settings that call most of the validation images right; of equals the earliest named, then the smallest k.

    All numbers of neighbours come from one sorted search a metric.

    Args:
        index, targets: of the training images, `[N, D]` and int `[N]`.
        queries, truth: of validation images, `[Q, D]` and int `[Q]`.
        k: this number alone, or all of the index where it has fewer; 0 tries `CANDIDATES`.
    """
    numbers = (min(k, len(index)),) if k else tuple(each for each in CANDIDATES if each <= len(index))
    rows = []
    for metric in metrics:
        found = find_neighbors(index, queries, max(numbers), metric=metric)
        for votes, number in product(weights, numbers):
            settings = NeighborSettings(number, metric, votes)
            right = decide(found, targets, settings, num_classes).argmax(1) == truth
            rows.append({**asdict(settings), **_scored(right, truth)})
    order = sorted(range(len(rows)), key=lambda row: (-rows[row]["right"], row))
    best = rows[order[0]]
    return Choice(
        NeighborSettings(best["k"], best["metric"], best["weights"]), tuple(rows[row] for row in order), len(queries)
    )


def _scored(right: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    classes = [right[truth == each].mean() for each in np.unique(truth)]
    return {
        "right": int(right.sum()),
        "accuracy": float(right.mean()) if len(right) else float("nan"),
        "balanced_accuracy": float(np.mean(classes)) if classes else float("nan"),
    }
