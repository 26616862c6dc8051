"""`hilum export`: a model file as ONNX or OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hilum.cli.terminal import print_json, print_line, render_table
from hilum.workflow.export import ExportOptions, ExportResult, export_model


def run_export_command(model: Path, options: ExportOptions, *, as_json: bool) -> int:
    """Exports and prints; returns the exit code."""
    result = export_model(model, options)
    if as_json:
        print_json(result.to_json())
        return 0
    print_line(result.sentence)
    if result.exported.calibration:
        _print_calibration(result)
    for each in result.files:
        print_line(f"{each}  {each.stat().st_size / 1e6:.1f} MB")
    return 0


def _print_calibration(result: ExportResult) -> None:
    found: dict[str, Any] = dict(result.exported.calibration or {})
    print_line(f"int8, calibrated on {found['images']} {found['of']}.")
    if "change" not in found:
        print_line("What that costs was not measured: the model file does not lie in its study.")
        return
    tried = found["tried_on"]
    where = f"on {tried['images']:,} validation images of {tried['patients']:,} patients"
    print_line(f"\nint8 against fp32 {where}, with 95 % intervals of the paired difference:")
    rows = [(name.replace("_", " "), *_figures(found, name)) for name in found["change"]]
    print_line(render_table(rows, ("figure", "fp32", "int8", "change")))
    print_line(f"Largest difference in a probability: {found['probability']:.3f}\n")


def _figures(found: dict[str, Any], name: str) -> tuple[str, str, str]:
    change = found["change"][name]
    words = f"{change['value']:+.4f} [{change['ci_low']:+.4f}, {change['ci_high']:+.4f}]"
    return f"{found['figures']['fp32'][name]:.4f}", f"{found['figures']['int8'][name]:.4f}", words
