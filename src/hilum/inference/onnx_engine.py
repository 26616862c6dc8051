"""A converted network in ONNX Runtime, on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hilum.inference.engine import GraphEngine, Outputs

WARNINGS_AND_LESS = 3
"""ONNX Runtime's level from which on it writes to standard error: errors."""


class OnnxEngine(GraphEngine):
    """See `hilum.inference.engine.open_graph`."""

    kind = "onnxruntime"

    def __init__(self, graph: bytes | Path, *, threads: int, precision: str = "32") -> None:
        import onnxruntime

        super().__init__(precision)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = WARNINGS_AND_LESS
        source = graph if isinstance(graph, bytes) else str(graph)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def both(self, canvases: np.ndarray) -> Outputs:
        return Outputs(*self._session.run(["logits", "embedding"], {"canvas": np.ascontiguousarray(canvases)}))
