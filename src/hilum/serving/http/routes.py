"""The ways of the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from hilum.images.encode import to_png
from hilum.serving.http import metrics as prometheus
from hilum.serving.http.answers import Wishes, answer_images, explain_image
from hilum.serving.http.problems import Problem, problem_response
from hilum.serving.http.schema import explain_answers, images_body, predict_answers, problems
from hilum.serving.http.served import Room
from hilum.serving.http.uploads import read_images
from hilum.serving.prediction import NOT_FOR
from hilum.version import __version__

Name = Annotated[str | None, Query(max_length=200, description="Of a model of /v1/models; the first when left out.")]
Force = Annotated[bool, Query(description="Also predict what is no frontal chest X-ray; a warning says so.")]


def api_routes(room: Room) -> APIRouter:
    """`/v1/...`, `/healthz`, `/readyz`, `/metrics`."""
    router = APIRouter()
    _add_predict(router, room)
    _add_explain(router, room)
    _add_watching(router, room)

    @router.get("/v1/models", responses=problems())
    async def models() -> dict[str, Any]:
        """The models, with their figures and limits."""
        each = [
            {"name": one.name, **one.facts, "engine": one.predictor.engine.kind, "has_cases": one.cases is not None}
            for one in room.models.values()
        ]
        return {"models": each, "hilum": __version__, "not_for": NOT_FOR}

    return router


def _add_predict(router: APIRouter, room: Room) -> None:
    @router.post("/v1/predict", responses=predict_answers(), openapi_extra=images_body(several=True))
    async def predict(
        request: Request,
        model: Name = None,
        force: Force = False,
        picture: Annotated[bool, Query(description="Also give the picture, as PNG in base64.")] = False,
        neighbors: Annotated[int, Query(ge=0, le=50, description="Nearest training cases, if there is an index.")] = 0,
    ) -> dict[str, Any]:
        """What a model says of images: one as the body, or several as the files of a form."""
        served = room.find(model)
        async with room.memory.share() as share:
            images = await read_images(request, room.settings, share)
            with room.admission.take(len(images)):
                request.state.accepted = True
                results = await answer_images(room, served, images, Wishes(force, picture, neighbors))
        return {"model": served.name, "not_for": NOT_FOR, "results": results}


def _add_explain(router: APIRouter, room: Room) -> None:
    @router.post(
        "/v1/explain", responses=explain_answers(), openapi_extra=images_body(several=False), response_model=None
    )
    async def explain(
        request: Request,
        model: Name = None,
        target: Annotated[str | None, Query(max_length=200, description="The class that the map speaks for.")] = None,
        against: Annotated[str | None, Query(max_length=200, description="A class whose score is taken off.")] = None,
        method: Literal["gradcam", "gradcam++", "layercam", "rollout"] = "gradcam",
        force: Force = False,
    ) -> Response:
        """Where in one image an answer comes from."""
        served = room.find(model)
        async with room.memory.share() as share:
            images = await read_images(request, room.settings, share)
            if len(images) != 1:
                raise Problem(422, "one-image", "Send one image at a time.")
            with room.admission.take(1):
                request.state.accepted = True
                answer, found = await explain_image(
                    room, served, images[0], force=force, method=method, target=target, against=against
                )
        if request.headers.get("accept", "").startswith("image/png"):
            return Response(await room.in_thread(lambda: to_png(found.overlay)), media_type="image/png")
        return JSONResponse({"model": served.name, "not_for": NOT_FOR, **answer})


def _add_watching(router: APIRouter, room: Room) -> None:
    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process answers at all."""
        return {"status": "ok"}

    @router.get("/readyz", responses=problems(503), response_model=None)
    async def readyz() -> Response:
        """Whether requests should be sent here: models loaded and answering, room in the queue, not shutting down."""
        if troubles := room.troubles():
            return problem_response(Problem(503, "not-ready", f"Not ready: {'; '.join(troubles)}."))
        return JSONResponse({"status": "ready"})

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(room.metrics.render(), media_type=prometheus.MEDIA_TYPE)
