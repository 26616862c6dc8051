"""hilum: from a folder of chest X-rays to a model that can be defended.

>>> import hilum
>>> study = hilum.study("chest_xray", labels="kermany3")        # doctest: +SKIP
>>> study.headline, study.report                                 # doctest: +SKIP
>>> model = hilum.load(study.model_path)                         # doctest: +SKIP
>>> model.predict("new.jpg")                                     # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from hilum.version import __version__

__all__ = [
    "__version__",
    "anomaly",
    "audit",
    "autopsy",
    "embed",
    "evaluate",
    "explain",
    "export",
    "load",
    "neighbors",
    "plan",
    "predict",
    "project",
    "serve",
    "study",
    "train",
    "verify",
]


_IN_API = frozenset(
    ("anomaly", "embed", "evaluate", "explain", "export", "neighbors", "plan", "project", "serve", "study", "train")
)


def __getattr__(name: str) -> Any:
    # What needs pandas or torch is imported when it is asked for: `hilum --help` must not wait for it.
    if name in ("load", "predict"):  # neither needs what training needs
        from hilum.serving import front

        return getattr(front, name)
    if name in _IN_API:
        from hilum import api

        return getattr(api, name)
    if name in ("audit", "autopsy", "verify"):  # the rooms of these names, which can be called
        import importlib

        return importlib.import_module(f"hilum.{name}")
    raise AttributeError(f"module 'hilum' has no attribute {name!r}")
