"""Rows written by many threads come back as numpy reads them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hilum.data import row_file
from hilum.data.row_file import RowFile


def test_rows_written_by_threads_in_any_order_are_the_array(tmp_path, monkeypatch):
    monkeypatch.setattr(row_file, "SETTLED_AFTER", 10_000)  # the disk begins many times meanwhile
    wanted = np.random.default_rng(0).integers(0, 256, (300, 24, 24), dtype=np.uint8)
    rows = RowFile(tmp_path / "rows.npy", wanted.shape)
    order = np.random.default_rng(1).permutation(len(wanted))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda position: rows.put(position, wanted[position]), order))
    rows.finish()
    rows.close()
    assert (np.load(tmp_path / "rows.npy") == wanted).all()


def test_without_pwrite_it_is_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(row_file.os, "pwrite", raising=False)
    wanted = np.arange(40, dtype=np.float32).reshape(8, 5)
    rows = RowFile(tmp_path / "rows.npy", wanted.shape, np.float32)
    for position in (7, 0, 3, 1, 2, 6, 5, 4):
        rows.put(position, wanted[position, ::1])
    rows.finish()
    assert (np.load(tmp_path / "rows.npy") == wanted).all()


def test_a_slice_with_strides_is_written_as_seen(tmp_path):
    wide = np.arange(2 * 6 * 12, dtype=np.uint8).reshape(2, 6, 12)
    rows = RowFile(tmp_path / "rows.npy", (2, 6, 6))
    for position in range(2):
        rows.put(position, wide[position, :, ::2])
    rows.settle()
    rows.finish()
    assert (np.load(tmp_path / "rows.npy") == wide[:, :, ::2]).all()
