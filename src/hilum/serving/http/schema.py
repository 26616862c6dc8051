"""What OpenAPI says of requests and answers, with examples."""

from __future__ import annotations

from typing import Any

from hilum.serving.http.problems import MEDIA_TYPE
from hilum.serving.prediction import NOT_FOR

_PNG = "iVBORw0KGgo..."
_HEAD = {"model": "finetuned", "not_for": NOT_FOR}
ROW: dict[str, Any] = {
    "image": 1,
    "sha256": "9f2c4a0e5b7d1c3e8f6a9b0d2c4e6f8091a3b5c7d9e0f1a2b3c4d5e6f7a8b9c0",
    "status": "ok",
    "label": "bacteria",
    "probs": {"normal": 0.04, "bacteria": 0.85, "virus": 0.11},
    "decisions": [{"point": "youden", "label": "bacteria", "threshold": 0.52, "called": True}],
    "gate_score": 2.31,
    "gate_threshold": 6.4,
    "warnings": ["colour-discarded"],
    "notes": ["The picture has colour (a tint, drawn arrows); only its brightness was kept."],
    "code": None,
    "reason": None,
}
REFUSED: dict[str, Any] = {
    **ROW,
    "image": 2,
    "status": "rejected",
    "label": None,
    "probs": None,
    "decisions": [],
    "warnings": [],
    "notes": [],
    "code": "not-a-chest-xray",
    "reason": "expected a frontal chest X-ray like those of training, found a picture unlike them (score 9.10, ...)",
}
PROBLEM = {
    "type": "urn:hilum:problem:busy",
    "title": "Service Unavailable",
    "status": 503,
    "code": "busy",
    "detail": "The queue is full. Try again in 2 s.",
}


def images_body(*, several: bool) -> dict[str, Any]:
    """`openapi_extra` of a route that takes images."""
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"image": {"type": "array", "items": file} if several else file}}
    kinds = ("application/dicom", "image/jpeg", "image/png", "application/octet-stream")
    content: dict[str, Any] = {kind: {"schema": file} for kind in kinds}
    content["multipart/form-data"] = {"schema": form}
    return {"requestBody": {"required": True, "content": content}}


def predict_answers() -> dict[int | str, dict[str, Any]]:
    """`responses` of /v1/predict."""
    example = {**_HEAD, "results": [ROW, REFUSED]}
    return {200: _json("An answer an image.", example), **problems(400, 404, 408, 413, 415, 422, 503)}


def explain_answers() -> dict[int | str, dict[str, Any]]:
    """`responses` of /v1/explain."""
    drawn = {"label": "bacteria", "against": "", "method": "gradcam", "layer": "features", "is_empty": False}
    example = {**_HEAD, **ROW, "map": {"png": _PNG, **drawn, "question": "what speaks for bacteria"}}
    answer = _json("The answer and where in the picture it comes from; PNG on `Accept: image/png`.", example)
    answer["content"]["image/png"] = {}
    return {200: answer, **problems(400, 404, 408, 409, 413, 415, 422, 503)}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of errors."""
    example = {"example": PROBLEM, "schema": {"type": "object"}}
    return {status: {"description": "RFC 9457.", "content": {MEDIA_TYPE: example}} for status in (*statuses, 401)}


def _json(about: str, example: dict[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"example": example}}}
