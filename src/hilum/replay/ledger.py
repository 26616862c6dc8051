"""A leg opens the test split of a task once for all of its rows; the ledger says so before anything is predicted."""

from __future__ import annotations

from hilum.data.manifest import Manifest
from hilum.evaluation import Opening, read_ledger, record_opening, record_predictions
from hilum.models.weights import file_sha256
from hilum.replay.leg import Leg
from hilum.replay.networks import Network
from hilum.workflow.record import digest_of

AS_TEST = "{name} column of a replay: its rows are those of a report, none is chosen by it"
IN_USE = "the report trained or stopped with these images, and the runs that follow it do so too"


def open_test(leg: Leg, shut: Manifest, networks: list[Network]) -> Opening | None:
    """Writes into the ledger that a leg opens the test split.

    Args:
        shut: the manifest whose test split was kept shut.
        networks: all that will be predicted with.

    Returns:
        None where it is not opened, or where the very same networks have opened it before.
    """
    if leg.folds:
        return None
    as_test = len(leg.manifest.split("test")) > 0
    reason = AS_TEST.format(name=leg.name) if as_test else IN_USE
    sha256 = _digest(leg, networks) if as_test else ""
    recipes = ", ".join(each.run for each in networks)
    wanted = (leg.name, sha256, reason, recipes)
    known = {(entry.run, entry.model_sha256, entry.reason, entry.recipe) for entry in read_ledger(leg.study_dir)}
    if wanted in known:
        return None
    return record_opening(
        leg.study_dir,
        run=leg.name,
        recipe=recipes,
        model_sha256=sha256,
        predictions=f"{leg.name}/predictions",
        images=len(shut.split("test")),
        reason=reason,
    )


def close_test(leg: Leg, opening: Opening | None) -> None:
    """Adds to the ledger the hash of all predictions files that an opening led to."""
    if opening is not None:
        files = sorted((leg.folder / "predictions").glob("*.parquet"))
        record_predictions(leg.study_dir, opening, digest_of([file_sha256(path) for path in files]))


def _digest(leg: Leg, networks: list[Network]) -> str:
    """Changes with every model file that is there."""
    files = [leg.folder / run / "model.safetensors" for each in networks for run, _ in leg.trainings(each)]
    return digest_of([file_sha256(path) for path in files if path.exists()])
