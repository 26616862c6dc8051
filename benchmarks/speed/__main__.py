"""The usual way and hilum side by side: python benchmarks/speed --data chest_xray_224 --originals originals

Prints a table of ratios with their spread and writes it as JSON; `--page docs/performance.md` puts it between that
page's marks too. Rows that need files take drawn X-rays where none are given. `--only steps,heads` runs some groups,
and keeps the other rows that the JSON holds; `--quick` takes one repeat and fewer networks, to see that it runs. Each
ratio is of two measurements that took turns on the same machine; how busy that was stands in the JSON, as the load
before and after each row. Several groups run in a process each, so that none finds the allocator as another left it. A
row that fails becomes a line of the table that says why, the others go on, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from side_by_side import Measure, Row, failed, render_table, rows_of

Group = Callable[[Any, argparse.Namespace], Iterable[Row | Measure]]
GROUPS: dict[str, tuple[str, Group]] = {
    "reading": ("reading", lambda module, given: module.measure(given.data, given.originals)),
    "augmenting": ("augmenting", lambda module, given: module.measure()),
    "steps": ("training", lambda module, given: module.measure_steps(min(given.repeats, MOST_STEPS))),
    "heads": ("training", lambda module, given: module.measure_heads()),
    "inference": ("networks", lambda module, given: module.measure_inference(given.data, given.repeats, given.quick)),
    "processes": ("processes", lambda module, given: module.measure(given.folder, given.repeats, given.quick)),
    "comparing": ("comparing", lambda module, given: module.measure(given.repeats, given.quick)),
    "cam": ("networks", lambda module, given: module.measure_cam(given.repeats, given.quick)),
}
"""Name -> the module beside this one, and its rows; imported where it runs, so that one that is broken breaks alone."""

MOST_STEPS = 2
"""Repeats of the training steps at most: each is twelve processes that build a network."""

LONGEST = 900
"""Seconds after which a group is given up."""
PACKAGES = ("torch", "torchvision", "timm", "lightning", "openvino", "onnxruntime", "scikit-learn", "openTSNE")
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
MARKS = "<!-- table: written by `make bench` -->", "<!-- end of table -->"


def main() -> None:
    """Parses, measures, prints, writes."""
    given = _arguments()
    warnings.simplefilter("ignore")
    names, began = given.only.split(","), time.monotonic()
    for name in names:
        if len(names) == 1:
            _measure_here(name, given)
        else:
            _measure_in_a_process(name, given)
    groups = _before(given.out)
    seconds = {name: sum(row["seconds"] for row in groups[name]["rows"]) for name in names}
    parts = ", ".join(f"{name} {taken:.0f}" for name, taken in seconds.items())
    sys.stdout.write(f"\n{time.monotonic() - began:.0f} s: {parts}\n")
    if given.page:
        _write_page(given.page, groups)
    broken = [row["work"] for name in names for row in groups[name]["rows"] if row["error"]]
    if broken:
        sys.exit(f"{len(broken)} failed: {'; '.join(broken)}")


def _measure_here(name: str, given: argparse.Namespace) -> None:
    def group() -> Iterable[Row | Measure]:
        module, rows = GROUPS[name]
        yield from rows(import_module(module), given)

    rows, load = list[dict[str, Any]](), [os.getloadavg()[0]]
    _write(given.out, name, rows)
    for row in rows_of(name, group()):
        load.append(os.getloadavg()[0])
        rows.append(row.to_json() | {"load": [round(each, 1) for each in load[-2:]]})
        sys.stdout.write(render_table([row]).splitlines()[-1] + "\n")
        sys.stdout.flush()
        _write(given.out, name, rows)  # after each row: what is killed keeps those that it had


def _measure_in_a_process(name: str, given: argparse.Namespace) -> None:
    """As the same command with one group; where that dies, a row says how."""
    asked = {"--data": given.data, "--folder": given.folder, "--originals": given.originals, "--out": given.out}
    command = [sys.executable, str(Path(__file__).parent), "--only", name, "--repeats", str(given.repeats)]
    command += [text for key, value in asked.items() if value is not None for text in (key, str(value))]
    _write(given.out, name, [])
    running = subprocess.Popen(command + ["--quick"] * given.quick, start_new_session=True)
    why = ""
    try:
        why = f"exit code {running.wait(LONGEST)}" if running.wait(LONGEST) not in (0, 1) else ""
    except subprocess.TimeoutExpired:
        why = f"given up after {LONGEST} s"
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)  # with the processes that it started
            running.wait()
    rows = _before(given.out)[name]["rows"]
    if why or not rows:
        lost = failed(f"{name}, from here on", RuntimeError(why or "no row came"))
        _write(given.out, name, [*rows, lost.to_json() | {"load": [round(os.getloadavg()[0], 1)]}])


def _write(path: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """The group in place of what it was, beside the others."""
    kept = _before(path) | {name: {"machine": _machine(), "rows": rows}}
    document = {"schema": "hilum.speed/3", "groups": {each: kept[each] for each in GROUPS if each in kept}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of class folders of 224 x 224 JPEG files")
    parser.add_argument("--folder", type=Path, help="a folder of class folders to predict, 624 drawn ones if left out")
    parser.add_argument("--originals", type=Path, help="a folder of class folders of large JPEG files")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups with commas between them")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one repeat, fewer networks: to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("runs/speed.json"))
    parser.add_argument("--page", type=Path, help="a Markdown page with marks for the table")
    given = parser.parse_args()
    unknown = set(given.only.split(",")) - set(GROUPS)
    if unknown:
        parser.error(f"--only: expected some of {', '.join(GROUPS)}, found {', '.join(sorted(unknown))}")
    given.repeats = 1 if given.quick else given.repeats
    return given


def _before(path: Path) -> dict[str, Any]:
    """The groups that the file holds, from this call and earlier ones."""
    return json.loads(path.read_text()).get("groups", {}) if path.exists() else {}


def _machine() -> dict[str, Any]:
    """Hardware, threads, versions, and how busy it is."""
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    said = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in reversed(lines)}
    return {
        "processor": said.get("model name") or platform.processor() or platform.machine(),
        "instructions": [flag for flag in FLAGS if flag in said.get("flags", "").split()],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "load": [round(each, 1) for each in os.getloadavg()],
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "versions": {name: version(name) for name in PACKAGES},
    }


def _write_page(page: Path, groups: dict[str, Any]) -> None:
    """The table and what it was measured on, between the page's marks."""
    rows, loads, machine, seconds = [], [], {}, 0.0
    for name in GROUPS:
        if name in groups:
            machine = groups[name]["machine"]
            loads += [load for row in groups[name]["rows"] for load in row["load"]]
            rows += [Row.from_json(row) for row in groups[name]["rows"]]
            seconds += sum(row.get("seconds", 0) for row in groups[name]["rows"])
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    about = (
        f"{machine['processor']} ({', '.join(machine.get('instructions', ()))}), {machine['cores']} cores, "
        f"{machine['threads']} threads; load average {min(loads):.1f} to {max(loads):.1f} while it ran, which took "
        f"{seconds / 60:.0f} minutes; {machine['date']}; {versions}."
    )
    before, rest = page.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n\n{about}\n\n{render_table(rows)}\n\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
