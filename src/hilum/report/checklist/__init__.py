"""Reporting guidelines filled in from a study folder, each item with its evidence."""

from hilum.report.checklist.checklist import (
    FILES,
    RENDERERS,
    Checklist,
    Entry,
    describe_counts,
    read_checklist,
    render_checklist,
    write_checklist,
    write_form,
)

__all__ = [
    "FILES", "RENDERERS", "Checklist", "Entry", "describe_counts", "read_checklist", "render_checklist",
    "write_checklist", "write_form",
]  # fmt: skip
