"""A `.npy` file of equal rows that many threads fill."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

SETTLED_AFTER = 128 << 20
"""Bytes written after which the disk is told to begin."""


class RowFile:
    """Rows are written into the file, not into a map of it: half the time, and no memory of this process.

    Args:
        path: where; what lies there is overwritten.
        shape: of the whole array; the first axis counts the rows.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type = np.uint8) -> None:
        self._start = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape).offset
        self._file = path.open("r+b", buffering=0)
        self._lock = threading.Lock()
        self._disk = ThreadPoolExecutor(1)
        self._settling: Future[None] | None = None
        self._unsettled = 0

    def put(self, position: int, row: np.ndarray) -> None:
        """Writes one row; safe from many threads.

        Raises:
            OSError: it cannot be written.
        """
        left, at = np.ascontiguousarray(row).data.cast("B"), self._start + position * row.nbytes
        try:
            while left:
                written = self._write(left, at)
                left, at = left[written:], at + written
        except OSError as error:
            error.filename = self._file.name  # the system names none
            raise
        self._unsettled += row.nbytes
        if self._unsettled > SETTLED_AFTER:
            self.settle()

    def _write(self, data: memoryview, at: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, at)
        with self._lock:  # Windows
            self._file.seek(at)
            return self._file.write(data) or 0

    def settle(self) -> None:
        """Lets the disk begin with what was written so far, in the background."""
        self._unsettled = 0
        if self._settling is None or self._settling.done():
            self._settling = self._disk.submit(os.fsync, self._file.fileno())

    def finish(self) -> None:
        """Returns once all of it is on the disk, and closes the file.

        Raises:
            OSError: the disk did not take it.
        """
        if self._settling is not None:
            self._settling.result()
        os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        """Lets go of the file; may be called again."""
        self._disk.shutdown()
        self._file.close()
