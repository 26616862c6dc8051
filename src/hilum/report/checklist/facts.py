"""Every fact by its name: the functions of the modules beside this one."""

from hilum.report.checklist import data_facts, model_facts, result_facts
from hilum.report.checklist.fact import ANSWERED, FACTS, NOT_DONE, PARTLY, REPORTED, YOURS, Fact

__all__ = ["ANSWERED", "FACTS", "NOT_DONE", "PARTLY", "REPORTED", "YOURS", "Fact"]

MODULES = (data_facts, model_facts, result_facts)
"""Importing them enters their functions into `FACTS`."""
