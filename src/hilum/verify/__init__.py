"""A study folder -> whether every number in it is the one that its predictions, its manifest and its pictures give.

`hilum.verify` is this room and, called with a folder, `hilum.api.verify`: the name of the job is that of the room.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

from hilum.verify.book import Check, Difference, Verification
from hilum.verify.folder import verify_folder

__all__ = ["Check", "Difference", "Verification", "verify_folder"]


class _Room(ModuleType):
    """This module, which can be called as well."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return importlib.import_module("hilum.api").verify(*args, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(importlib.import_module("hilum.api").verify)


sys.modules[__name__].__class__ = _Room
