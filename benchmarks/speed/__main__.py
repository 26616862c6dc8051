"""The usual way and hilum side by side: python benchmarks/speed --data chest_xray_224 --originals originals

Prints a table of ratios with their spread and writes it as JSON. Rows that need files take drawn X-rays where none are
given. `--only reading` runs one group.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import augmenting
import reading
from side_by_side import Row, render_table

GROUPS: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {
    "reading": lambda given: reading.measure(given.data, given.originals),
    "augmenting": lambda given: augmenting.measure(),
}


def main() -> None:
    """Parses, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of class folders of 224 x 224 JPEG files")
    parser.add_argument("--originals", type=Path, help="a folder of class folders of large JPEG files")
    parser.add_argument("--weights-dir", type=Path, help="a folder of pre-trained weights")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups with commas between them")
    parser.add_argument("--out", type=Path, default=Path("runs/speed.json"))
    given = parser.parse_args()
    rows: list[Row] = []
    began = time.monotonic()
    for name in given.only.split(","):
        for row in GROUPS[name](given):
            rows.append(row)
            sys.stdout.write(render_table([row]).splitlines()[-1] + "\n")
            sys.stdout.flush()
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    document = {"schema": "hilum.speed/1", "machine": machine, "seconds": round(time.monotonic() - began)}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({**document, "rows": [row.to_json() for row in rows]}, indent=1) + "\n")
    sys.stdout.write("\n" + render_table(rows) + "\n")


if __name__ == "__main__":
    main()
