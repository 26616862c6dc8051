"""A Lightning Trainer that says nothing and writes nothing of its own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from hilum.training.processes import processes_a_node, world


def make_trainer(
    *,
    max_epochs: int,
    precision: str,
    device: torch.device,
    callbacks: Sequence[pl.Callback],
    loggers: Sequence[Any],
    accumulate: int,
    run_dir: Path,
) -> pl.Trainer:
    """A Trainer for one phase; history, checkpoints and progress are the callbacks' business.

    Args:
        precision: `32` or `bf16`.
        accumulate: batches whose gradients are added up to one step.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # On a CPU the training step is what takes the time; workers would take its cores.
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")  # lightning against a newer torch
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings(
        "ignore", message=".*in eval mode at the start of training.*"
    )  # frozen ones are meant to be
    warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
    accelerator = {"cuda": "gpu"}.get(device.type, device.type)
    return pl.Trainer(
        accelerator=accelerator,
        **_processes(device),
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=max_epochs,
        accumulate_grad_batches=accumulate,
        callbacks=list(callbacks),
        logger=list(loggers) or False,
        default_root_dir=run_dir,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _processes(device: torch.device) -> dict[str, Any]:
    """Lightning's words for one process, or for those that `join` has brought together."""
    count = world()[1]
    if count == 1:
        return {"devices": 1 if device.index is None or device.type != "cuda" else [device.index]}
    from lightning.fabric.plugins.environments import TorchElasticEnvironment
    from lightning.pytorch.strategies import DDPStrategy

    here = processes_a_node()
    return {
        "devices": here,
        "num_nodes": count // here,
        "strategy": DDPStrategy(cluster_environment=TorchElasticEnvironment()),
        "sync_batchnorm": device.type == "cuda",  # torch has none for a CPU: there each process' share is normalised
    }
