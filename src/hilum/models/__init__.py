"""Networks: create_model, list_models, stages, the model file.

The names below load torch only when they are used: listing models and reading a model file's header need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hilum.models.modelfile import ModelHeader, load_model, read_header, save_model, verify_model
from hilum.models.registry import MODELS, ModelEntry, create_model, list_models
from hilum.models.weights import find_local_weights

if TYPE_CHECKING:
    from hilum.models.classifier import Classifier

__all__ = [
    "MODELS",
    "Classifier",
    "ModelEntry",
    "ModelHeader",
    "create_model",
    "find_local_weights",
    "list_models",
    "load_model",
    "read_header",
    "save_model",
    "verify_model",
]


def __getattr__(name: str) -> Any:
    if name == "Classifier":
        from hilum.models.classifier import Classifier

        return Classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
