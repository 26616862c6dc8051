"""A study folder -> one self-contained page."""

from hilum.report.audit_page import write_audit_page
from hilum.report.card import render_card, write_card
from hilum.report.checklist import render_checklist, write_checklist
from hilum.report.page import describe_study, write_report
from hilum.report.run_figures import write_figures

__all__ = [
    "describe_study",
    "render_card",
    "render_checklist",
    "write_audit_page",
    "write_card",
    "write_checklist",
    "write_figures",
    "write_report",
]
