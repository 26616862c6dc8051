"""Work on a batch shared out to threads; what is done in each has to release the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

FEWEST_A_THREAD = 8
"""Pieces for which a thread is worth waking."""


def in_threads(work: Callable[[range], None], count: int) -> None:
    """Does pieces 0 to `count` - 1, each once.

    Args:
        work: does some of the pieces; called in several threads at once where there are enough pieces.
    """
    parts = min(_threads(), count // FEWEST_A_THREAD)
    if parts < 2:
        work(range(count))
        return
    ends = np.linspace(0, count, parts + 1).astype(int).tolist()
    list(_pool(os.getpid()).map(work, map(range, ends[:-1], ends[1:])))


@cache
def _threads() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of a process, numbered so that a forked loader makes its own: threads do not come along."""
    return ThreadPoolExecutor(_threads(), thread_name_prefix="batch")
