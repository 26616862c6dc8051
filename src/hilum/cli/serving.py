"""`hilum serve`: models behind an HTTP API and a page."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hilum.cli.terminal import print_line
from hilum.errors import UsageError
from hilum.workflow.serve import run_serving

TOKEN = "HILUM_TOKEN"


def run_serve_command(
    models: Sequence[Path], *, token_file: Path | None, as_json: bool, dicom: Mapping[str, Any], **wishes: Any
) -> int:
    """Serves until it is told to stop; returns the exit code."""

    def on_ready(address: str, names: list[str]) -> None:
        document = {"event": "ready", "address": address, "models": names}
        print_line(json.dumps(document) if as_json else f"{', '.join(names)} at {address} (Ctrl-C stops)")
        sys.stdout.flush()  # whoever started the server waits for this line

    tally = run_serving(models, token=_token(token_file), dicom=dicom, on_ready=on_ready, **wishes)
    print_line(json.dumps({"event": "stopped", **vars(tally)}) if as_json else str(tally))
    return 0


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("--token-file", expected="a text file", found=f"{file}: {error}") from None
