"""More than one process on one training: who is who, and what they have to agree on.

`torchrun` starts the processes, on one machine or on several; each works on its share of every batch.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from hilum.errors import UsageError


def world() -> tuple[int, int]:
    """This process' number, and how many there are: (0, 1) outside of `torchrun`."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def processes_a_node() -> int:
    """How many processes of this training run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world()[1]))


def is_first() -> bool:
    """Whether this process is the one that writes files."""
    return world()[0] == 0


PATIENCE = timedelta(days=2)
"""How long processes wait for one that reads the data; `torchrun` ends them all where one has died."""


def join(device: torch.device, *, patient: bool = False) -> torch.device:
    """Meets the other processes that `torchrun` started; does nothing where there is only this one.

    Reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as `torchrun` sets them.

    Args:
        patient: whether another process may take hours before it comes.

    Returns:
        The device of this process: a GPU each.

    Raises:
        UsageError: several processes without an address to meet at.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or not distributed.is_available():
        return device
    if not distributed.is_initialized():
        if "MASTER_ADDR" not in os.environ or "MASTER_PORT" not in os.environ:
            way_out = "Start them with torchrun."
            raise UsageError(
                f"{count} processes", expected="MASTER_ADDR and MASTER_PORT", found="none", way_out=way_out
            )
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=PATIENCE if patient else None)
    if device.type != "cuda":
        return device
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    torch.cuda.set_device(own)
    return own


def share(value: Any) -> Any:
    """What the first process has, in all of them; anything that can be pickled."""
    if world()[1] == 1:
        return value
    held = [value]
    distributed.broadcast_object_list(held, src=0)
    return held[0]


def gather(value: Any) -> list[Any]:
    """What each process has, in the order of their numbers; in all of them."""
    count = world()[1]
    if count == 1:
        return [value]
    held: list[Any] = [None] * count
    distributed.all_gather_object(held, value)
    return held


def average_buffers(network: torch.nn.Module) -> None:
    """Gives all processes the same running means of batch norm: the mean of theirs.

    Each has seen its share of the last batch only; without this each would evaluate another network.
    """
    count = world()[1]
    if count == 1:
        return
    for buffer in network.buffers():
        if buffer.is_floating_point():
            distributed.all_reduce(buffer)
            buffer /= count


def leave() -> None:
    """Parts from the other processes; alone it does nothing."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def wait_for_all() -> None:
    """Returns when each process has come here."""
    if world()[1] > 1:
        distributed.barrier()
