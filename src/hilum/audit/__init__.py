"""A manifest and its canvases -> findings: what is wrong with the data, before anybody trains on them.

`hilum.audit` is this room and, called with a data root, `hilum.api.audit`: the name of the job is that of the room.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

from hilum.audit.audit import audit_manifest
from hilum.audit.finding import Audit, Finding, Severity, read_audit

__all__ = ["Audit", "Finding", "Severity", "audit_manifest", "read_audit"]


class _Room(ModuleType):
    """This module, which can be called as well."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return importlib.import_module("hilum.api").audit(*args, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(importlib.import_module("hilum.api").audit)


sys.modules[__name__].__class__ = _Room
