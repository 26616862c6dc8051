"""Networks: create_model, list_models, stages, the model file.

The names below load torch only when they are used: listing models and reading a model file's header need none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hilum.models.modelfile import ModelHeader, load_model, read_header, save_model, verify_model
from hilum.models.registry import MODELS, ModelEntry, create_model, list_models
from hilum.models.weights import find_local_weights

if TYPE_CHECKING:
    from hilum.models.autoencoder import Autoencoder, create_autoencoder, load_autoencoder
    from hilum.models.classifier import Classifier

__all__ = [
    "MODELS",
    "Autoencoder",
    "Classifier",
    "ModelEntry",
    "ModelHeader",
    "create_autoencoder",
    "create_model",
    "find_local_weights",
    "list_models",
    "load_autoencoder",
    "load_model",
    "read_header",
    "save_model",
    "verify_model",
]


_WITH_TORCH = {
    "Autoencoder": "autoencoder",
    "create_autoencoder": "autoencoder",
    "load_autoencoder": "autoencoder",
    "Classifier": "classifier",
}


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(f"hilum.models.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
