"""1,000 queries against a million embeddings of 512 numbers: seconds and memory, exact, from a memory-mapped index.

    python benchmarks/neighbors_million.py [--images 1000000] [--queries 1000] [--k 15] [--compare]

Writes an index file of float16 (about 1 GB) into a temporary folder, reads it again in a process of its own, asks, and
prints seconds, images a second and the largest resident memory of that process. --compare also asks faiss' flat
index, where it is installed, and scikit-learn, each with all vectors in memory, and checks that the answers agree.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd


def draw_rows(images: int, dim: int, start: int = 0) -> np.ndarray:
    """float32 rows around 100 centres, as embeddings lie in clumps."""
    generator = np.random.default_rng([0, start])
    centres = np.random.default_rng(1).normal(size=(100, dim)).astype(np.float32)
    rows = generator.standard_normal((images, dim), dtype=np.float32)
    return rows + 2 * centres[generator.integers(100, size=images)]


def write(path: Path, images: int, dim: int, k: int) -> None:
    from hilum.inspection.index import NeighborIndex, Seen
    from hilum.inspection.neighbors import NeighborSettings
    from hilum.labels import LabelSet

    matrix = np.concatenate(
        [draw_rows(min(50_000, images - at), dim, at).astype(np.float16) for at in range(0, images, 50_000)]
    )
    names = np.arange(images).astype(str)
    table = pd.DataFrame(dict.fromkeys(("image_path", "patient_id", "sha256", "canvas"), names))
    table["label"] = np.where(np.arange(images) % 2, "ill", "normal")
    seen = pd.DataFrame({name: ["x"] for name in ("image_path", "patient_id", "split", "sha256", "canvas")})
    NeighborIndex(table, matrix, LabelSet(("normal", "ill")), NeighborSettings(k), Seen(seen)).write(path)


def ask(path: Path, queries: int, dim: int) -> None:
    """In a process of its own: opens, searches, votes; prints one line of JSON."""
    import torch  # noqa: F401 # the start of Python and torch is not part of a search

    from hilum.inspection.index import read_index

    began = time.monotonic()
    index = read_index(path)
    opened, asked = time.monotonic(), draw_rows(queries, dim, 10**9)
    found = index.search(asked)
    index.classify(found)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"open_s": opened - began, "search_s": time.monotonic() - opened, "memory_gib": memory,  # noqa: T201
                      "positions": found.positions[:20].tolist()}))  # fmt: skip


def compare(path: Path, queries: int, dim: int, k: int, positions: list[list[int]]) -> None:
    from sklearn.neighbors import NearestNeighbors

    from hilum.inspection.index import read_index

    rows, asked = read_index(path).matrix[:].astype(np.float32), draw_rows(queries, dim, 10**9)
    try:
        import faiss

        began, flat = time.monotonic(), faiss.IndexFlatL2(dim)
        flat.add(rows)
        added, found = time.monotonic(), flat.search(asked, k)[1]
        print(f"faiss flat: {added - began:.1f} s to add, {time.monotonic() - added:.1f} s to ask;",  # noqa: T201
              f"the same neighbours: {np.mean(found[:20] == positions):.4f}")  # fmt: skip
        del flat
    except ImportError:
        print("faiss is not installed")  # noqa: T201
    began = time.monotonic()
    oracle = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors(asked[:20], return_distance=False)
    print(f"scikit-learn: {time.monotonic() - began:.1f} s for 20;",  # noqa: T201
          f"the same neighbours: {np.mean(oracle == positions):.4f}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, value in (("--images", 1_000_000), ("--queries", 1000), ("--dim", 512), ("--k", 15)):
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--ask", type=Path)
    given = parser.parse_args()
    if given.ask:
        ask(given.ask, given.queries, given.dim)
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "index.arrow"
        write(place, given.images, given.dim, given.k)
        command = [
            sys.executable,
            __file__,
            "--ask",
            str(place),
            "--queries",
            str(given.queries),
            "--dim",
            str(given.dim),
        ]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"{given.images:,} x {given.dim}, file {place.stat().st_size / 2**30:.2f} GiB: opened in",  # noqa: T201
              f"{answer['open_s']:.1f} s, {given.queries:,} queries in {answer['search_s']:.1f} s,",
              f"largest memory {answer['memory_gib']:.2f} GiB")  # fmt: skip
        if given.compare:
            compare(place, given.queries, given.dim, given.k, answer["positions"])
