"""Which pictures are close to each other, among many: short codes, compared exactly in blocks, or by hashing.

A code is the picture at 8 x 8 pixels, freed of what all chest X-rays share (whitened, and clipped so that no single
feature decides). On 10,000 drawn X-rays 130 of 134 planted near copies come nearer than `CLOSE`, the missed ones crops
by 4 % a side, and 5 pairs of others for each 100 pictures are looked at in vain.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

GRID, LENGTH, CLOSE = 8, 48, 0.74
FINER_GRID, FINER_LENGTH, FINER_CLOSE = 14, 128, 0.56
"""Side of the picture that a code is made of, its longest length, and the cosine from which a pair is worth a look: by
the short code all pairs are compared, by the finer one those that are left."""

MIRRORED_CLOSE = 0.85
"""The same for mirror images, where a crop is not looked for at the same time: drawn chests are nearly symmetric, and
at 0.74 there would be eight times as many pairs to look at."""

MOST_EXACT = 200_000
"""Up to this many codes every pair is compared: 100,000 take a minute on one core. Beyond, codes are hashed, which
takes time in proportion to their number and misses most slight crops."""

_SAMPLE, _BLOCK, _CLIP = 20_000, 2048, 1.0
_BITS, _TABLES = 20, 24


def find_candidates(small: np.ndarray, *, mirrored: bool = False) -> np.ndarray:
    """int64 `[P, 2]`: pairs i < j that may be one picture (with `mirrored`: i turned left to right).

    Args:
        small: uint8 `[N, side, side]`.
    """
    close = MIRRORED_CLOSE if mirrored else CLOSE
    pairs = close_pairs(*codes_of(small, GRID, LENGTH, mirrored=mirrored), close)
    first, second = codes_of(small, FINER_GRID, FINER_LENGTH, mirrored=mirrored)
    alike = [
        np.einsum("nd,nd->n", first[block[:, 0]], second[block[:, 1]])
        for block in np.array_split(pairs, len(pairs) // 65536 + 1)
    ]
    return pairs[np.concatenate(alike) > FINER_CLOSE]


def codes_of(small: np.ndarray, grid: int, length: int, *, mirrored: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Codes of pictures (with `mirrored`: of their mirror images), and codes of the pictures.

    Args:
        small: uint8 `[N, side, side]`.
        grid: side that the picture is reduced to.
        length: of a code, at most.

    Returns:
        Two float32 `[N, D]` of length 1.
    """
    grids = _grids(small, grid)
    rows = grids.reshape(len(grids), -1)
    whiten = _whitening(rows, length)
    codes = whiten(rows)
    return (whiten(grids[:, :, ::-1].reshape(rows.shape)) if mirrored else codes), codes


def close_pairs(first: np.ndarray, second: np.ndarray, threshold: float) -> np.ndarray:
    """int64 `[P, 2]`: pairs i < j with `first[i]` closer to `second[j]` than a threshold.

    Args:
        first, second: float32 `[N, D]` of length 1.
        threshold: cosine.
    """
    found = _exact(first, second, threshold) if len(first) <= MOST_EXACT else _hashed(first, second, threshold)
    pairs = list(found)
    return np.unique(np.concatenate(pairs), axis=0) if pairs else np.zeros((0, 2), np.int64)


def _grids(small: np.ndarray, grid: int) -> np.ndarray:
    """float32 `[N, grid, grid]` of mean 0 and length 1: brightness and contrast are gone."""
    count, side = len(small), small.shape[-1]
    cell = side // grid
    grids = np.empty((count, grid, grid), np.float32)
    for start in range(0, count, _BLOCK):
        block = small[start : start + _BLOCK, : cell * grid, : cell * grid].astype(np.float32)
        grids[start : start + _BLOCK] = block.reshape(len(block), grid, cell, grid, cell).mean(axis=(2, 4))
    grids -= grids.mean(axis=(1, 2), keepdims=True)
    return grids / (np.sqrt((grids**2).sum(axis=(1, 2), keepdims=True)) + 1e-3)


def _whitening(rows: np.ndarray, length: int):
    """The map from rows `[N, grid * grid]` to codes: principal axes, each at nearly the same spread."""
    sample = rows[:: max(1, len(rows) // _SAMPLE)]
    mean = sample.mean(axis=0)
    variance, axes = np.linalg.eigh(
        np.cov((sample - mean).T.astype(np.float64)) if len(sample) > 1 else np.eye(rows.shape[1])
    )
    variance, axes = variance[::-1][:length].clip(0), axes[:, ::-1][:, :length]
    # Few pictures do not say how much the finer axes vary; without the ridge these would decide alone.
    ridge = variance.mean() * min(1.0, 4 * length / len(rows)) + 1e-9
    matrix = (axes / np.sqrt(variance + ridge)).astype(np.float32)

    def whiten(given: np.ndarray) -> np.ndarray:
        # A frame around a few pictures, or a rare exposure, would otherwise be all that their codes tell.
        codes = np.clip((given - mean.astype(np.float32)) @ matrix, -_CLIP, _CLIP)
        return codes / (np.linalg.norm(codes, axis=1, keepdims=True) + np.float32(1e-9))

    return whiten


def _exact(first: np.ndarray, second: np.ndarray, threshold: float) -> Iterator[np.ndarray]:
    for top in range(0, len(first), _BLOCK):
        for left in range(top, len(second), _BLOCK):
            near = first[top : top + _BLOCK] @ second[left : left + _BLOCK].T > threshold
            rows, columns = np.divmod(np.flatnonzero(near), near.shape[1])
            pairs = np.stack([rows + top, columns + left], axis=1)
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            if len(pairs):
                yield pairs


def _hashed(first: np.ndarray, second: np.ndarray, threshold: float) -> Iterator[np.ndarray]:
    """Pairs that fall into one bucket of a table; a bucket is `_BITS` signs of random projections (Charikar 2002)."""
    generator = np.random.default_rng(0)
    weights = 1 << np.arange(_BITS, dtype=np.int64)
    for _ in range(_TABLES):
        planes = generator.standard_normal((first.shape[1], _BITS)).astype(np.float32)
        left, right = ((codes @ planes > 0) @ weights for codes in (first, second))
        order = np.argsort(right, kind="stable")
        start, end = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
        rows = np.repeat(np.arange(len(first)), end - start)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(end - start) - (end - start), end - start)
        columns = order[np.repeat(start, end - start) + within]
        kept = rows < columns
        rows, columns = rows[kept], columns[kept]
        near = np.einsum("nd,nd->n", first[rows], second[columns]) > threshold
        if near.any():
            yield np.stack([rows[near], columns[near]], axis=1)
