"""How often an autopsy cries wolf over sound reports, and how many planted faults it finds.

Sound reports: drawn predictions of one to four models, figures by scikit-learn, printed with 1 to 4 decimals, rounded
half up, half even or cut off, in per cent or not, with or without matrix, counts, and the name of the averaging.
Faulty ones: one planted fault each. Prints one line a number of decimals and one a fault, in per cent with exact 95 %
intervals. Measures what `docs/autopsy.md` states.

    python benchmarks/autopsy_false_alarms.py [--reports 200] [--first SEED] [--only sound FAULT ...]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from hilum.autopsy import Autopsy, take_apart
from hilum.autopsy.faults import FAULTS
from hilum.autopsy.reading_json import report_of
from hilum.autopsy.simulate import draw_report
from hilum.evaluation.intervals import exact_interval

DECIMALS = (1, 2, 3, 4)


def examine(document: dict) -> Autopsy:
    """The autopsy of a drawn report."""
    return take_apart(report_of(document, "drawn"))


def say(line: str) -> None:
    """A line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def share(k: int, n: int) -> str:
    """Per cent with its exact interval."""
    low, high, _ = exact_interval(k, n)
    return f"{100 * k / n:5.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def measure_sound(reports: int, first: int) -> None:
    """`reports` sound reports with each number of decimals."""
    for decimals in DECIMALS:
        impossible, suspicious, codes = 0, 0, Counter[str]()
        for seed in range(first, first + reports):
            found = examine(draw_report(seed, decimals=decimals).document)
            wrong = [each for each in found.findings if each.severity == "impossible"]
            odd = {each.code for each in found.findings if each.severity == "suspicious"}
            impossible, suspicious = impossible + bool(wrong), suspicious + bool(odd)
            codes.update(odd)
            for each in wrong:
                say(f"  seed {seed}, {decimals} decimals: {each.code}: {each.where}: {each.sentence}")
        rest = ", ".join(f"{code} {count}" for code, count in codes.most_common())
        say(
            f"sound, {decimals} decimals: impossible {share(impossible, reports)}, "
            f"suspicious {share(suspicious, reports)} ({rest})",
        )


def measure_faults(reports: int, first: int, only: list[str]) -> None:
    """`reports` reports of each fault with each number of decimals: found as impossible, found at all."""
    say("planted fault: found to be impossible / found at all, per cent, with 1, 2, 3, 4 decimals")
    for name, plant in FAULTS.items():
        if only and name not in only:
            continue
        parts = []
        for decimals in DECIMALS:
            counts = [examine(plant(seed, decimals)).counts() for seed in range(first, first + reports)]
            impossible = sum(each["impossible"] > 0 for each in counts)
            found = sum(each["impossible"] + each["suspicious"] > 0 for each in counts)
            parts.append(f"{100 * impossible / reports:3.0f}/{100 * found / reports:3.0f}")
        say(f"{name:<18} {'   '.join(parts)}")


def main() -> None:
    """Runs both, or what is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=200, help="of each kind and number of decimals")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--only", nargs="+", choices=["sound", *FAULTS], default=[], help="these kinds alone")
    arguments = parser.parse_args()
    if not arguments.only or "sound" in arguments.only:
        measure_sound(arguments.reports, arguments.first)
    if arguments.only != ["sound"]:
        measure_faults(min(arguments.reports, 200), arguments.first, arguments.only)


if __name__ == "__main__":
    main()
