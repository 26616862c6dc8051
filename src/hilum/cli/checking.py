"""`hilum checklist`: the reporting checklists of a study, and the form for what only people know."""

from __future__ import annotations

from pathlib import Path

from hilum.cli.terminal import print_json, print_line, render_table


def run_checklist_command(study: Path, *, as_json: bool) -> int:
    """Writes the files and prints what is open; returns the exit code."""
    from hilum.report.checklist.checklist import STATUSES, count_statuses
    from hilum.report.checklist.items import GUIDELINES
    from hilum.workflow.supplement import write_supplement

    checklist, paths = write_supplement(study)
    if as_json:
        print_json({**checklist.to_json(), "files": [str(path) for path in paths]})
        return 0
    rows = []
    for guideline in GUIDELINES:
        counts = count_statuses(checklist.of(guideline.key))
        rows.append((guideline.title, *(str(counts[status]) for status in STATUSES)))
    print_line(render_table(rows, ("", *STATUSES)))
    print_line()
    print_line(
        f"{len(checklist.open)} entries are open: fill in the last column of {paths[-1].name}, and call it again."
    )
    for path in paths:
        print_line(str(path))
    return 0
