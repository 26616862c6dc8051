"""int8 by ONNX Runtime's static quantisation, calibrated on training pictures."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 8
PRODUCTS = ["MatMul", "Gemm", "Conv"]
"""All that is in int8 where there is attention: what softmax, norms and sums take in and give out stays float32."""


class _Pictures(CalibrationDataReader):
    def __init__(self, canvases: Any) -> None:
        self._batches = iter(range(0, len(canvases), BATCH))
        self._canvases = canvases

    def get_next(self) -> dict[str, np.ndarray] | None:
        start = next(self._batches, None)
        return None if start is None else {"canvas": np.array(self._canvases[start : start + BATCH])}


def _has_attention(graph: Path) -> bool:
    return any(node.op_type == "Softmax" for node in onnx.load(graph).graph.node)


def quantise_graph(graph: bytes, canvases: Any) -> bytes:
    """See `hilum.inference.export.quantise`."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it advises on standard error what has just been done
    try:
        with TemporaryDirectory() as folder:
            plain, prepared, done = (Path(folder) / name for name in ("plain.onnx", "prepared.onnx", "int8.onnx"))
            plain.write_bytes(graph)
            quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
            attends = _has_attention(prepared)
            quantize_static(
                str(prepared),
                str(done),
                _Pictures(canvases),
                op_types_to_quantize=PRODUCTS if attends else None,
                extra_options={"OpTypesToExcludeOutputQuantization": PRODUCTS} if attends else None,
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
            return done.read_bytes()
    finally:
        logging.root.setLevel(level)
