"""A manifest and its canvases -> findings: what is wrong with the data, before anybody trains on them."""

from hilum.audit.finding import Audit, Finding, Severity, read_audit

__all__ = ["Audit", "Finding", "Severity", "read_audit"]
