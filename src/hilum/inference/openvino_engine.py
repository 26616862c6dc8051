"""A converted network in OpenVINO, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hilum.inference.engine import GraphEngine, Outputs

BF16 = "BF16"


class OpenVinoEngine(GraphEngine):
    """See `hilum.inference.engine.open_graph`."""

    kind = "openvino"

    def __init__(self, graph: bytes | Path, *, precision: str, threads: int) -> None:
        super().__init__(precision)
        core, network = read_network(graph)
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        self._compiled = core.compile_model(network, "CPU", options)
        self._request = self._compiled.create_infer_request()

    def both(self, canvases: np.ndarray) -> Outputs:
        self._request.infer([np.ascontiguousarray(canvases)], share_inputs=True)
        # Copies: the request writes the next batch over its own memory.
        logits, embedding = (
            np.array(self._request.get_tensor(name).data, dtype=np.float32) for name in ("logits", "embedding")
        )
        return Outputs(logits, embedding)


def read_network(graph: bytes | Path) -> tuple[Any, Any]:
    """OpenVINO's core and the network of an ONNX or IR file, or of ONNX bytes."""
    import openvino

    core = openvino.Core()
    return core, core.read_model(graph if isinstance(graph, bytes) else str(graph))


def has_bf16() -> bool:
    """Whether OpenVINO computes with bfloat16 on this processor."""
    import openvino

    return BF16 in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
