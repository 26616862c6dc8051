"""Can a printed confusion matrix and the figures beside it all be true?

`read_report` reads what somebody printed, `take_apart` looks for what cannot be true. `hilum.autopsy` is this room and,
called with a report, `hilum.api.autopsy`: the name of the job is that of the room.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

from hilum.autopsy.checks import take_apart
from hilum.autopsy.read import read_report, read_typed
from hilum.autopsy.values import Autopsy, Finding, Report, Severity

__all__ = ["Autopsy", "Finding", "Report", "Severity", "read_report", "read_typed", "take_apart"]


class _Room(ModuleType):
    """This module, which can be called as well."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return importlib.import_module("hilum.api").autopsy(*args, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(importlib.import_module("hilum.api").autopsy)


sys.modules[__name__].__class__ = _Room
