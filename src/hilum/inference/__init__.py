"""Model + images -> logits, embeddings, in batches.

The names below load torch only when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hilum.inference.device import choose_device, tune_cpu
    from hilum.inference.predict import embed_images, predict_logits

__all__ = ["choose_device", "embed_images", "predict_logits", "tune_cpu"]


def __getattr__(name: str) -> Any:
    if name in ("choose_device", "tune_cpu"):
        from hilum.inference import device

        return getattr(device, name)
    if name in ("embed_images", "predict_logits"):
        from hilum.inference import predict

        return getattr(predict, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
