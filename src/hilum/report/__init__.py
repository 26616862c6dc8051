"""A study folder -> one self-contained page."""

from hilum.report.audit_page import write_audit_page
from hilum.report.page import describe_study, write_report
from hilum.report.run_figures import write_figures

__all__ = ["describe_study", "write_audit_page", "write_figures", "write_report"]
