"""Before training: can the network learn at all, and what does a step cost in which precision?"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from hilum.errors import CannotLearn, OutOfTime

FEW = 16
MOST_STEPS = 120


def check_it_learns(
    network: nn.Module,
    prepare: Callable,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    device: torch.device,
    name: str,
    deadline: float = math.inf,
) -> int:
    """Overfits a copy of the network on a handful of images.

    Args:
        inputs, targets: up to 16 examples, of more than one class.
        deadline: in `time.monotonic` seconds; a look that would outlast the time budget helps nobody.

    Returns:
        The steps that it took until every image was right.

    Raises:
        CannotLearn: it did not manage in 120 steps of Adam at two learning rates.
        OutOfTime: the deadline came first.
    """
    batch, target = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)
    shares = []
    for lr in (1e-3, 1e-4):
        steps, share = _overfit(copy.deepcopy(network), prepare(batch), target, lr, deadline)
        if share == 1.0:
            return steps
        shares.append(share)
    raise CannotLearn(
        f"{name} on {len(target)} training images",
        expected=f"all of them learned by heart within {MOST_STEPS} steps",
        found=f"{max(shares):.0%} right at best",
        way_out="Look at these images (are they blank, or the same picture under two labels?), or train more stages.",
    )


def _overfit(
    network: nn.Module, batch: torch.Tensor, target: torch.Tensor, lr: float, deadline: float
) -> tuple[int, float]:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=lr)
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    share = 0.0
    for step in range(1, MOST_STEPS + 1):
        if time.monotonic() > deadline:
            found = f"none left after {step - 1} steps on {len(target)} images"
            raise OutOfTime("time budget", expected="time to train", found=found, way_out="Raise --time-budget.")
        logits = network(batch).float()
        share = max(share, (logits.argmax(1) == target).double().mean().item())
        if share == 1.0:
            return step, 1.0
        optimiser.zero_grad()
        nn.functional.cross_entropy(logits, target).backward()
        optimiser.step()
    return MOST_STEPS, share


def few_examples(targets: np.ndarray, seed: int, count: int = FEW) -> np.ndarray:
    """Positions of up to `count` examples that take the classes in turn, drawn by seed."""
    generator = np.random.default_rng(seed)
    members = [generator.permutation(np.flatnonzero(targets == k)) for k in np.unique(targets)]
    turns = [member[turn] for turn in range(count) for member in members if turn < len(member)]
    return np.array(turns[:count])


def step_seconds(
    network: nn.Module, prepare: Callable, inputs: np.ndarray, targets: np.ndarray, device: torch.device, precision: str
) -> float:
    """Seconds of one training step on a copy of the network: the quickest of three after a warm-up.

    Args:
        inputs: one batch.
        precision: `32` or `bf16`.
    """
    network = copy.deepcopy(network).train()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=1e-6)
    batch, target = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = network(prepare(batch))
        optimiser.zero_grad()
        nn.functional.cross_entropy(logits.float(), target).backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def choose_precision(times: dict[str, float]) -> str:
    """bfloat16 only where it is at least a tenth quicker: otherwise the exact one is free."""
    return "bf16" if times.get("bf16", np.inf) < 0.9 * times["32"] else "32"


def probe_precision(
    network: nn.Module, prepare: Callable, inputs: np.ndarray, targets: np.ndarray, device: torch.device, precision: str
) -> tuple[str, float]:
    """The precision to train in, and the seconds of a step in it.

    Args:
        precision: `auto` times float32 and bfloat16 and takes the quicker; `32` or `bf16` is taken as it is.
    """
    asked = supported_precisions(precision, device)
    times = {each: step_seconds(network, prepare, inputs, targets, device, each) for each in asked}
    chosen = choose_precision(times) if len(times) > 1 else asked[0]
    return chosen, times[chosen]


def supported_precisions(precision: str, device: torch.device) -> Sequence[str]:
    """The precisions worth timing for what a recipe asks."""
    if precision != "auto":
        return (precision,)
    return ("32",) if device.type == "mps" else ("32", "bf16")
