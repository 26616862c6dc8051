"""Models behind an HTTP API, a page and perhaps a DICOM node: what `hilum serve` and `hilum.serve` do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hilum.errors import UsageError
from hilum.serving.box import bundled_model
from hilum.serving.dicom_out.front import dicom_node

NEEDED = ("fastapi", "uvicorn", "python_multipart")


@dataclass(frozen=True)
class Tally:
    """What a server did until it was told to stop.

    Args:
        accepted: requests whose images were taken in.
        answered: of these; the same number unless something broke.
    """

    accepted: int
    answered: int

    def __str__(self) -> str:
        return f"Stopped; {self.answered:,} of {self.accepted:,} accepted requests answered."


def run_serving(
    models: Sequence[Path] = (),
    *,
    indexes: Sequence[Path] = (),
    device: str = "auto",
    engine: str = "auto",
    dicom: Mapping[str, Any] | None = None,
    on_ready: Callable[[str, list[str]], None] = lambda _address, _models: None,
    **bounds: Any,
) -> Tally:
    """Serves until SIGTERM or SIGINT, then answers what it has taken in.

    Args:
        models: model files; none takes the one in the box.
        indexes: of neighbours, one a model in their order.
        dicom: arguments of `serve_dicom`; without a port there is no node.
        on_ready: told of address and names of the models when requests are taken.
        bounds: fields of `Settings`, such as host, port and token.

    Raises:
        UsageError: a missing package, an address that cannot be listened on, no token where one is needed.
        ModelFileError: no model file, or a damaged one.
        DataError: an index of another model, or an outbox that another process uses.
    """
    _check_installed()
    from hilum.report.charts.palette import render_variables
    from hilum.report.page import TEMPLATES
    from hilum.serving.app import create_app
    from hilum.serving.http.served import load_models
    from hilum.serving.http.server import run_server
    from hilum.serving.http.settings import Settings

    settings = Settings(**bounds)
    paths = list(models) or [bundled_model()]
    predictors = load_models(paths, device=device, engine=engine)
    if len(indexes) > len(predictors):
        raise UsageError("--index", expected="one a model at most, in their order", found=str(len(indexes)))
    named = dict(zip(predictors, indexes, strict=False))
    style = render_variables() + (TEMPLATES / "style.css").read_text(encoding="utf-8")
    app, room = create_app(predictors, settings, indexes=named, style=style)
    with dicom_node(paths[0], dicom or {}, device=device):
        run_server(app, room, lambda address: on_ready(address, list(predictors)))
    return Tally(int(room.metrics.accepted.total), int(room.metrics.answered.total))


def _check_installed() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        way_out = "pip install 'hilum[serve]'"
        raise UsageError("hilum serve", expected="the packages of a server", found=f"no {missing[0]}", way_out=way_out)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    way_out = "Use the command `hilum serve` in a terminal."
    raise UsageError("hilum.serve", expected="no running event loop", found="one, as in a notebook", way_out=way_out)
