"""A converted network in OpenVINO, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hilum.inference.engine import GraphEngine, Outputs

BF16 = "BF16"
OUTPUTS = ("logits", "embedding")


class OpenVinoEngine(GraphEngine):
    """See `hilum.inference.engine.open_graph`."""

    kind = "openvino"

    def __init__(self, graph: bytes | Path, *, precision: str, threads: int, streams: int = 1) -> None:
        super().__init__(precision)
        self.streams = max(1, min(streams, threads))
        core, network = read_network(graph)
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
        }
        options |= {"NUM_STREAMS": self.streams} if self.streams > 1 else {"PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(network, "CPU", options)
        self._requests = [compiled.create_infer_request() for _ in range(self.streams)]

    def both(self, canvases: np.ndarray) -> Outputs:
        parts = np.array_split(np.ascontiguousarray(canvases), min(self.streams, max(1, len(canvases))))
        running = self._requests[: len(parts)]
        for request, part in zip(running, parts, strict=True):
            request.start_async([part], share_inputs=True)
        for request in running:
            request.wait()
        return Outputs(*(np.concatenate([_copied(each, name) for each in running]) for name in OUTPUTS))


def _copied(request: Any, name: str) -> np.ndarray:
    """An output, float32, in memory of its own: the request writes its next batch over this."""
    return np.array(request.get_tensor(name).data, dtype=np.float32)


def read_network(graph: bytes | Path) -> tuple[Any, Any]:
    """OpenVINO's core and the network of an ONNX or IR file, or of ONNX bytes."""
    import openvino

    core = openvino.Core()
    return core, core.read_model(graph if isinstance(graph, bytes) else str(graph))


def has_bf16() -> bool:
    """Whether OpenVINO computes with bfloat16 on this processor."""
    import openvino

    return BF16 in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
