"""The canvas cache: what reading it costs."""

import os
from pathlib import Path

import numpy as np
import pytest

from hilum.data import cache
from hilum.data.cache import CanvasView


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_reading_a_whole_cache_does_not_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_MAPPED", 8 << 20)
    stored = np.lib.format.open_memmap(tmp_path / "canvases.npy", mode="w+", dtype=np.uint8, shape=(4000, 128, 128))
    stored[:] = np.arange(4000, dtype=np.uint32).astype(np.uint8)[:, None, None]
    del stored
    mapped = np.load(tmp_path / "canvases.npy", mmap_mode="r")
    view = CanvasView(mapped, np.arange(4000))
    before, most = _resident(), 0
    for start in range(0, 4000, 50):
        assert (view[start : start + 50][:, 0, 0] == np.arange(start, start + 50).astype(np.uint8)).all()
        most = max(most, _resident())
    assert most - before < 32 << 20  # of 65 MB


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
