"""How long an audit of drawn X-rays takes, and how much memory: python benchmarks/audit_speed.py --images 10000

Draws the data set into a folder (once), decodes it into canvases (once), audits it in this process, and prints one JSON
document: seconds of each part, processor seconds of all threads (what a machine without other work would take at most),
and the largest resident memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

from hilum.audit import audit_manifest
from hilum.audit.pictures import CANVAS
from hilum.data.build import build_dataset, open_cache
from hilum.data.manifest import read_manifest
from hilum.data.phantom import Faults, draw_dataset, write_dataset
from hilum.data.sources import list_images


def main() -> None:
    """Parses, draws, audits, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--folder", type=Path, default=Path("runs/audit-speed"))
    arguments = parser.parse_args()
    data = arguments.folder / f"drawn-{arguments.images}-{arguments.size}"
    if not data.exists():
        faults = Faults(duplicates=0.01, near_duplicates=0.02)
        write_dataset(draw_dataset(images=arguments.images, size=arguments.size, faults=faults), data)
    place = data.with_name(data.name + "-canvases")
    if not (place / "manifest.parquet").exists():
        dataset = build_dataset(list_images(data), cache_dir=place, preprocessings=[CANVAS])
        dataset.manifest.write(place / "manifest.parquet")
    manifest = read_manifest(place / "manifest.parquet")
    canvases = open_cache(manifest, CANVAS, place).of(manifest.table)
    before, started, computed = _memory(), time.monotonic(), time.process_time()
    audit = audit_manifest(manifest, canvases)
    document = {
        "images": len(manifest),
        "seconds": round(time.monotonic() - started, 1),
        "processor_seconds": round(time.process_time() - computed, 1),
        "memory_before_mb": before,
        "memory_mb": _memory(),
        "parts": audit.facts["parts"],
        "findings": [finding.code for finding in audit.findings],
    }
    sys.stdout.write(json.dumps(document, indent=1) + "\n")


def _memory() -> int:
    """Largest resident memory so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
