"""The k-NN of a run of a study: read where it is what is asked for, evaluated into a folder of its own otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hilum.data.manifest import read_manifest
from hilum.models.modelfile import weights_sha256
from hilum.recipes.schema import Neighbors
from hilum.workflow.inspect_embeddings import embed_run, sealing
from hilum.workflow.inspect_neighbors import DOCUMENT, INDEX, METRICS_FILE, NEIGHBORS, evaluate_neighbors, hidden_of
from hilum.workflow.options import Options
from hilum.workflow.record import read_json
from hilum.workflow.voice import Voice

if TYPE_CHECKING:
    from hilum.workflow.neighbors import NeighborsOptions


def own_place(model: Path, study_dir: Path, options: NeighborsOptions, voice: Voice, *, with_test: bool) -> Path:
    """The folder of the k-NN that is asked for, evaluated now where it was not.

    What a study found out itself is never overwritten: other settings, another seed, or images that it had no time for
    have a folder of their own beside it, and all that is written goes into the study's seal.
    """
    run = model.resolve().parent.relative_to(study_dir.resolve()).as_posix()
    inspection = study_dir / run / "inspection"
    own = inspection / NEIGHBORS
    if options.wishes or ((own / DOCUMENT).exists() and not _answers_it(own, model, options, with_test)):
        seed = f"seed{options.seed}" if options.seed else ""
        own = inspection / "-".join(filter(None, (NEIGHBORS, *(options.wishes or ("all",)), seed)))
    if not (own / DOCUMENT).exists() or not _answers_it(own, model, options, with_test):
        _evaluate_own(study_dir, run, options, voice, own, with_test=with_test)
    return own


def _answers_it(folder: Path, model: Path, options: NeighborsOptions, with_test: bool) -> bool:
    """Whether a k-NN of this very model lies there; for figures also of all images, with test and by the same seed."""
    document = read_json(folder / DOCUMENT) or {}
    about = document.get("about", {})
    if about.get("weights_sha256") != weights_sha256(model) or not (folder / INDEX).exists():
        return False
    if not with_test:
        return True
    images = about.get("images", {})
    complete = "test" in images and all(done == of for done, of in images.values())
    return complete and document.get("seed") == options.seed and (folder / METRICS_FILE).exists()


def _evaluate_own(
    study_dir: Path, run: str, options: NeighborsOptions, voice: Voice, folder: Path, *, with_test: bool
) -> None:
    manifest = read_manifest(study_dir / "manifest.parquet")
    plain = Options(device=options.device, seed=options.seed, replicates=options.replicates)
    splits = ("train", "val", "test") if with_test else ("train", "val")
    recipe = (read_json(study_dir / run / "recipe.json") or {}).get("neighbors")
    wanted = Neighbors(**recipe) if recipe and not options.wishes else None
    with sealing(study_dir, run, "hilum neighbors", folder), voice.stage("embeddings") as bar:
        embeddings = embed_run(study_dir, run, manifest, plain, splits, on_step=bar)
        if "hidden" in (options.layer, wanted.layer if wanted else ""):
            embeddings = hidden_of(study_dir / run, embeddings)
        tried = None if wanted else options.tried
        evaluate_neighbors(embeddings, study_dir, run, manifest, plain, wanted=wanted, tried=tried, folder=folder)
