"""`hilum serve`: models behind an HTTP API and a page."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hilum.cli.terminal import print_line
from hilum.errors import UsageError
from hilum.serving.box import bundled_model
from hilum.serving.dicom_out.front import dicom_node

NEEDED = ("fastapi", "uvicorn", "python_multipart")
TOKEN = "HILUM_TOKEN"


def run_serve_command(
    models: Sequence[Path],
    *,
    token_file: Path | None,
    indexes: Sequence[Path],
    device: str,
    engine: str,
    as_json: bool,
    dicom: Mapping[str, Any],
    **bounds: Any,
) -> int:
    """Serves until it is told to stop; returns the exit code."""
    _check_installed()
    from hilum.report.charts.palette import render_variables
    from hilum.report.page import TEMPLATES
    from hilum.serving.app import create_app
    from hilum.serving.http.served import load_models
    from hilum.serving.http.server import run_server
    from hilum.serving.http.settings import Settings

    settings = Settings(token=_token(token_file), **bounds)
    predictors = load_models(list(models) or [bundled_model()], device=device, engine=engine)
    if len(indexes) > len(predictors):
        raise UsageError("--index", expected="one a model at most, in their order", found=str(len(indexes)))
    named = dict(zip(predictors, indexes, strict=False))
    style = render_variables() + (TEMPLATES / "style.css").read_text(encoding="utf-8")
    app, room = create_app(predictors, settings, indexes=named, style=style)

    def on_ready(address: str) -> None:
        document = {"event": "ready", "address": address, "models": list(predictors)}
        print_line(json.dumps(document) if as_json else f"{', '.join(predictors)} at {address} (Ctrl-C stops)")
        sys.stdout.flush()  # whoever started the server waits for this line

    with dicom_node(models[0] if models else bundled_model(), dicom, device=device):
        run_server(app, room, on_ready)
    tally = {"accepted": int(room.metrics.accepted.total), "answered": int(room.metrics.answered.total)}
    words = f"Stopped; {tally['answered']:,} of {tally['accepted']:,} accepted requests answered."
    print_line(json.dumps({"event": "stopped", **tally}) if as_json else words)
    return 0


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("--token-file", expected="a text file", found=f"{file}: {error}") from None


def _check_installed() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        way_out = "pip install 'hilum[serve]'"
        raise UsageError("hilum serve", expected="the packages of a server", found=f"no {missing[0]}", way_out=way_out)
