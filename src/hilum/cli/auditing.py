"""`hilum audit`: call the workflow and print what was found."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.cli.terminal import Terminal, print_json, print_line, render_table
from hilum.errors import CheckFailed
from hilum.workflow.options import Options

if TYPE_CHECKING:
    from hilum.audit import Audit, Finding

REJECTED, WIDTH = 3, 80


def run_audit_command(data: Path, options: Options, *, strict: bool, as_json: bool) -> int:
    """Audits and prints; returns the exit code."""
    from hilum.workflow.audit import run_audit

    result = run_audit(data, options, Terminal(quiet=as_json))
    if as_json:
        document = result.audit.to_json()
        print_json({"folder": str(result.folder), "report": str(result.report), **document})
    else:
        _print(result.audit)
        print_line(str(result.report))
    if strict:
        check_audit(result.audit)
    return REJECTED if result.rejected else 0


def check_audit(audit: Audit) -> None:
    """Raises CheckFailed where the audit has an error."""
    if audit.errors:
        more = f" and {len(audit.errors) - 1} more" if len(audit.errors) > 1 else ""
        found = f"{audit.errors[0].code}{more}: {audit.errors[0].sentence}"
        raise CheckFailed("--strict", expected="data without errors", found=found)


def _print(audit: Audit) -> None:
    print_line()
    rows = [(each.severity, each.title, f"{each.count:,}" if each.count else "") for each in audit.findings]
    print_line(render_table([(f"{a:<7}  {b}", c) for a, b, c in rows], ("what was found", "how many")))
    print_line()
    for finding in audit.findings:
        if finding.severity != "note":
            print_line(_wrapped(finding))
            print_line()
    for finding in audit.of("what-the-sets-can-decide"):
        print_line(_wrapped(finding))
        print_line()
    print_line(_summary(audit))


def _wrapped(finding: Finding) -> str:
    text = f"{finding.severity}: {finding.sentence} {finding.way_out}"
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _summary(audit: Audit) -> str:
    counts = audit.counts()
    words = [f"{number} {name if number == 1 else name + 's'}" for name, number in counts.items()]
    failed = [part["name"] for part in audit.facts.get("parts", ()) if part.get("failed")]
    return f"{', '.join(words)}." + (f" Not looked at, for an error of hilum: {', '.join(failed)}." if failed else "")
