"""The usual way and hilum side by side: python benchmarks/speed --data chest_xray_224 --originals originals

Prints a table of ratios with their spread and writes it as JSON; `--page docs/performance.md` puts it between that
page's marks too. Rows that need files take drawn X-rays where none are given. `--only steps,heads` runs some groups,
and keeps the other rows that the JSON holds. Each ratio is of two measurements that took turns on the same machine;
how busy that was stands in the JSON, as the load before and after each row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import augmenting
import comparing
import networks
import reading
import training
from side_by_side import Row, render_table

GROUPS: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {
    "reading": lambda given: reading.measure(given.data, given.originals),
    "augmenting": lambda given: augmenting.measure(),
    "steps": lambda given: training.measure_steps(given.repeats),
    "heads": lambda given: training.measure_heads(),
    "inference": lambda given: networks.measure_inference(given.repeats),
    "processes": lambda given: networks.measure_processes(given.folder),
    "comparing": lambda given: comparing.measure(given.repeats),
    "cam": lambda given: networks.measure_cam(given.repeats),
}
PACKAGES = ("torch", "torchvision", "timm", "lightning", "openvino", "onnxruntime", "scikit-learn", "openTSNE")
MARKS = "<!-- table: written by `make bench` -->", "<!-- end of table -->"


def main() -> None:
    """Parses, measures, prints, writes."""
    given = _arguments()
    warnings.simplefilter("ignore")
    kept = _before(given.out)
    began = time.monotonic()
    for name in given.only.split(","):
        rows, load = [], [os.getloadavg()[0]]
        for row in GROUPS[name](given):
            load.append(os.getloadavg()[0])
            rows.append(row.to_json() | {"load": [round(each, 1) for each in load[-2:]]})
            sys.stdout.write(render_table([row]).splitlines()[-1] + "\n")
            sys.stdout.flush()
        kept[name] = {"machine": _machine(), "rows": rows}
        document = {"schema": "hilum.speed/2", "groups": {each: kept[each] for each in GROUPS if each in kept}}
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(document, indent=1) + "\n")  # after each group: a killed call loses one
    sys.stdout.write(f"\n{time.monotonic() - began:.0f} s\n")
    if given.page:
        _write_page(given.page, kept)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of class folders of 224 x 224 JPEG files")
    parser.add_argument("--folder", type=Path, help="a folder of class folders to predict, 624 drawn ones if left out")
    parser.add_argument("--originals", type=Path, help="a folder of class folders of large JPEG files")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups with commas between them")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/speed.json"))
    parser.add_argument("--page", type=Path, help="a Markdown page with marks for the table")
    return parser.parse_args()


def _before(path: Path) -> dict[str, Any]:
    """The groups of an earlier call."""
    return json.loads(path.read_text()).get("groups", {}) if path.exists() else {}


def _machine() -> dict[str, Any]:
    """Hardware, threads, versions, and how busy it is."""
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "processor": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "load": [round(each, 1) for each in os.getloadavg()],
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "versions": {name: version(name) for name in PACKAGES},
    }


def _write_page(page: Path, groups: dict[str, Any]) -> None:
    """The table and what it was measured on, between the page's marks."""
    fields = set(Row.__dataclass_fields__)
    rows, loads, machine = [], [], {}
    for name in GROUPS:
        if name in groups:
            machine = groups[name]["machine"]
            loads += [load for row in groups[name]["rows"] for load in row["load"]]
            rows += [Row(**{key: row[key] for key in row if key in fields}) for row in groups[name]["rows"]]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    about = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads; load average "
        f"{min(loads):.1f} to {max(loads):.1f} while it ran; {machine['date']}; {versions}."
    )
    before, rest = page.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n\n{about}\n\n{render_table(rows)}\n\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
