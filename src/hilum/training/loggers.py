"""Lightning's loggers by name, one of each for a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hilum.errors import UsageError

LOGGERS = ("tensorboard", "mlflow", "wandb")


def make_loggers(names: Sequence[str], run_dir: Path) -> list[Any]:
    """The loggers of a run.

    Raises:
        UsageError: an unknown name, or a package that is not installed.
    """
    return [_make(name, run_dir) for name in names]


def _make(name: str, run_dir: Path) -> Any:
    from lightning.pytorch import loggers

    try:
        if name == "tensorboard":
            return loggers.TensorBoardLogger(str(run_dir.parent), name="tensorboard", version=run_dir.name)
        if name == "mlflow":
            folder = str(run_dir.parent / "mlruns")
            return loggers.MLFlowLogger(experiment_name=run_dir.parent.name, run_name=run_dir.name, save_dir=folder)
        if name == "wandb":
            return loggers.WandbLogger(project=run_dir.parent.name, name=run_dir.name, save_dir=str(run_dir.parent))
    except (ModuleNotFoundError, ImportError) as error:
        found, way_out = str(error).splitlines()[0], f"pip install 'hilum[{name}]'"
        raise UsageError(f"--log {name}", expected="its package", found=found, way_out=way_out) from None
    raise UsageError("--log", expected=f"some of {', '.join(LOGGERS)}", found=name)
