"""DICOM grey values in the order of the standard: modality LUT, then VOI LUT or window, then MONOCHROME1.

The three act on the values that can occur (a table of at most 65,536), not on every pixel.
Sources: DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT, windows), C.7.6.3.1.2 (MONOCHROME1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hilum.images.dicom_tags import number_of, text_of
from hilum.images.tones import WHITE, percentile_range, scaled

if TYPE_CHECKING:
    from pydicom import Dataset

_MOST_VALUES = 65536


def display_values(stored: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, list[str]]:
    """What a viewer would show.

    Args:
        stored: `[H, W]` of the pixel data, integers or floats.
        dataset: its header.

    Returns:
        `[H, W]`, lungs dark, uint8 where at most 8 bits are stored and uint16 otherwise, and warnings.
    """
    warnings: list[str] = []
    values, counts = _distinct(stored)
    counts = _without_padding(values, counts, dataset)
    with np.errstate(all="ignore"):  # hostile numbers overflow; the results are checked
        shown = _window(_modality(values, dataset, warnings), counts, dataset, warnings)
    if text_of(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        shown = WHITE - shown
    if _stored_bits(dataset) <= 8:
        shown = (shown >> 8).astype(np.uint8)
    return _looked_up(stored, values, shown), warnings


def _distinct(stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values from the smallest to the largest and how often each occurs; every pixel where the range is wide."""
    if stored.dtype.kind in "iu":
        low, high = int(stored.min()), int(stored.max())
        if high - low < _MOST_VALUES:
            counts = np.zeros(high - low + 1, dtype=np.int64)
            for band in _bands(stored):
                counts += np.bincount(band.ravel() - low, minlength=len(counts))
            return np.arange(low, high + 1), counts
    values = np.nan_to_num(stored.ravel().astype(np.float64))
    return values, np.ones(values.size, dtype=np.int64)


def _looked_up(stored: np.ndarray, values: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """`[H, W]`: for each pixel what is shown for its value."""
    if values.dtype.kind == "f":
        return shown.reshape(stored.shape)
    return np.concatenate([shown[band - values[0]] for band in _bands(stored)])


def _bands(stored: np.ndarray) -> Iterator[np.ndarray]:
    """The picture in bands of 256 rows as int64, which for the whole of it would take 8 bytes a pixel."""
    for top in range(0, len(stored), 256):
        yield stored[top : top + 256].astype(np.int64)


def _without_padding(values: np.ndarray, counts: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Leaves the padding around the picture out of the counts, unless nothing else is there."""
    start = number_of(dataset, "PixelPaddingValue")
    if start is None:
        return counts
    limit = number_of(dataset, "PixelPaddingRangeLimit")
    ends = (start, start if limit is None else limit)
    kept = np.where((values >= min(ends)) & (values <= max(ends)), 0, counts)
    return kept if kept.any() else counts


def _modality(values: np.ndarray, dataset: Dataset, warnings: list[str]) -> np.ndarray:
    """Values in the unit of the modality, float64; as they are where the file's way there is broken."""
    real = _rescaled(values, dataset)
    if real is not None and np.isfinite(real).all():
        return real
    warnings.append("rescale-ignored")
    return values.astype(np.float64)


def _rescaled(values: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    from pydicom.pixels import apply_modality_lut

    if "ModalityLUTSequence" in dataset:
        try:
            return np.asarray(apply_modality_lut(values, dataset), dtype=np.float64)
        except Exception:  # a hostile table raises anything from KeyError to struct.error
            return None
    if "RescaleSlope" not in dataset:
        return values.astype(np.float64)
    slope, intercept = number_of(dataset, "RescaleSlope"), number_of(dataset, "RescaleIntercept")
    return values * slope + (intercept or 0.0) if slope else None


def _window(values: np.ndarray, counts: np.ndarray, dataset: Dataset, warnings: list[str]) -> np.ndarray:
    """Values -> uint16 over the whole range; the file's own way, or percentiles where it has none that works."""
    shown = _by_the_file(values, dataset)
    if shown is not None and not _hides_everything(shown, values, counts):
        return shown
    if shown is None and not _has_window(dataset):
        if _stored_bits(dataset) <= 8 and values.min() >= 0 and values.max() <= 255:
            return scaled(values, 0, 2 ** _stored_bits(dataset) - 1)
        warnings.append("window-missing")
    else:
        warnings.append("window-unusable")
    low, high = percentile_range(values, counts)
    return scaled(values, low, high) if low < high else np.zeros(len(values), dtype=np.uint16)


def _has_window(dataset: Dataset) -> bool:
    return any(keyword in dataset for keyword in ("VOILUTSequence", "WindowCenter", "WindowWidth"))


def _by_the_file(values: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    """The file's VOI LUT if it has a good one, else its first window if that is usable, else None."""
    shown = _by_table(values, dataset)
    if shown is not None:
        return shown
    centre, width = number_of(dataset, "WindowCenter"), number_of(dataset, "WindowWidth")
    if centre is None or width is None or not np.isfinite([centre, width]).all():
        return None
    return windowed(values, centre, width, (text_of(dataset, "VOILUTFunction") or "LINEAR").upper())


def _by_table(values: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    if "VOILUTSequence" not in dataset:
        return None
    from pydicom.pixels import apply_voi

    try:
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        looked_up = apply_voi(np.rint(values).astype(np.int64), dataset)
        return scaled(looked_up, 0, 2**bits - 1)
    except Exception:  # a hostile table raises anything from KeyError to struct.error
        return None


def windowed(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray | None:
    """A window of PS3.3 C.11.2.1.2 and C.11.2.1.3.

    Args:
        values: any shape, after the modality LUT.
        centre, width: in the unit of `values`.
        function: `LINEAR`, `LINEAR_EXACT` or `SIGMOID`; others are taken for `LINEAR`.

    Returns:
        uint16, same shape; None for a width that the standard forbids.
    """
    if function == "SIGMOID" and width > 0:
        # The exponent is bounded because exp overflows at 710; exp(50) is black already.
        return scaled(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -50, 50))), 0, 1)
    if function == "LINEAR_EXACT":
        centre, width = centre + 0.5, width + 1
    if function == "SIGMOID" or width <= 1:
        return None
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    return scaled(values, low, high) if low < high else None


def _hides_everything(shown: np.ndarray, values: np.ndarray, counts: np.ndarray) -> bool:
    """Whether next to nothing of a picture that has something to show lies between black and white."""
    present = counts > 0
    if not np.ptp(values[present]):
        return False
    total = counts[present].sum()
    between = counts[present & (shown > 0) & (shown < WHITE)].sum()
    extremes = counts[present & (shown == 0)].sum(), counts[present & (shown == WHITE)].sum()
    return bool(between < 0.01 * total and max(extremes) > 0.99 * total)


def _stored_bits(dataset: Dataset) -> int:
    """BitsStored, or BitsAllocated where it is absent; 64 for float pixel data."""
    return int(number_of(dataset, "BitsStored") or number_of(dataset, "BitsAllocated") or 64)
