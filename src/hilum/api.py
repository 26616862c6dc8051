"""What `import hilum` offers: the command line's main jobs as functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hilum.autopsy import Autopsy, read_report, take_apart
from hilum.errors import UsageError
from hilum.evaluation.planning import Clustering, Plan, Wish
from hilum.recipes.schema import Recipe
from hilum.report.autopsy_page import write_autopsy_page
from hilum.serving.front import load as load
from hilum.serving.front import predict as predict
from hilum.verify import Verification, verify_folder
from hilum.workflow.anomaly import Detection
from hilum.workflow.audit import AuditedData, run_audit
from hilum.workflow.detect import DetectOptions, detect
from hilum.workflow.embed import Embedded, embed_data
from hilum.workflow.evaluate import Trial, TrialOptions, evaluate_on
from hilum.workflow.explain import Explained, ExplainOptions, explain_paths
from hilum.workflow.export import ExportOptions, ExportResult, export_model
from hilum.workflow.folds import Repetition, repeat_recipe
from hilum.workflow.neighbors import NeighborsOptions, NeighborsResult, neighbors_of
from hilum.workflow.options import Options
from hilum.workflow.pilot import make_plan
from hilum.workflow.project import Map, project_run
from hilum.workflow.recipe_file import find_recipe
from hilum.workflow.serve import Tally, run_serving
from hilum.workflow.study import Study, run_study
from hilum.workflow.train import Run, train_recipe
from hilum.workflow.voice import Voice


def study(
    data: str | Path | None = None,
    *,
    labels: str = "folders",
    recipes: Sequence[str | Recipe] | None = None,
    out: str | Path | None = None,
    time_budget: float | None = None,
    quick: bool = False,
    weights_dir: str | Path | None = None,
    patient_pattern: str | None = None,
    corrections: str | Path | None = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    replicates: int = 1000,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Study:
    """Splits, trains, evaluates and reports.

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest; None draws
            X-rays.
        labels: `folders`, `kermany3`, or a regular expression with a group named `label`.
        recipes: names or recipes; None takes what suits the data and the machine.
        out: the study's folder; `runs/NAME` when None. What an earlier call finished there is not done again.
        time_budget: seconds; None means 14 minutes without a GPU, no limit with one, 80 s for drawn X-rays.
        quick: small and short, to see whether everything works.
        weights_dir: a folder of pre-trained weights, one folder a model.
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv with corrected labels filled in.
        val_fraction: share of the training images that validates, in (0, 0.5].
        test_fraction: share of all images that tests, where no test split is given, in (0, 0.5].
        replicates: of the bootstrap behind the intervals.
        device: `auto`, `cpu`, `cuda` or `mps`.
        voice: told what goes on; None is silent.

    Returns:
        The study; it shows itself in a notebook.

    Raises:
        HilumError: no usable data or a wrong option, in one line.
    """
    command = _as_typed(study, locals())
    options = Options(
        labels=labels,
        recipes=recipes,
        out=None if out is None else Path(out),
        time_budget=time_budget,
        quick=quick,
        weights_dir=None if weights_dir is None else Path(weights_dir),
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=None if corrections is None else Path(corrections),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        replicates=replicates,
        command=command,
    )
    return run_study(None if data is None else Path(data), options, voice)


def _as_typed(function: Callable[..., object], arguments: Mapping[str, object]) -> str:
    """The call that repeats this one: arguments that are not what they are anyway."""
    parameters = inspect.signature(function).parameters.values()
    given = [each for each in parameters if each.name != "voice" and arguments[each.name] != each.default]
    shown = [f"{each.name}={_plainly(arguments[each.name])}" for each in given]
    return f"hilum.{function.__name__}({', '.join(shown)})"


def _plainly(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_plainly, value))}]"
    if isinstance(value, Recipe):
        return repr(value.name)
    return repr(str(value)) if isinstance(value, Path) else repr(value)


def train(
    recipe: str | Recipe,
    data: str | Path,
    *,
    labels: str = "folders",
    folds: int = 0,
    seeds: int = 1,
    out: str | Path | None = None,
    time_budget: float | None = None,
    weights_dir: str | Path | None = None,
    patient_pattern: str | None = None,
    corrections: str | Path | None = None,
    val_fraction: float | None = None,
    test_fraction: float = 0.2,
    replicates: int = 1000,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Run | Repetition | Detection:
    """Trains one recipe; the figures are those of validation, the test split stays shut.

    Args:
        recipe: a name from `hilum recipes`, a file (`./mine.py`, `./mine.json`), or a Recipe.
        data, labels, patient_pattern, corrections, test_fraction, replicates, device, voice: as in `study`.
        folds: at least 2 trains on each of so many folds of whole patients and pools the figures; 0 does not.
        seeds: more than 1 trains with so many seeds, from `seed` on.
        out: the folder for manifest, cache and run; `runs/NAME` when None. What is finished there is not done again.
        time_budget: seconds; None means no limit.
        val_fraction: share of the training images that validates; None takes the recipe's, else 0.2.

    Returns:
        A Run; with folds or seeds a Repetition; of a recipe with `anomaly` set a Detection.

    Raises:
        HilumError: no usable data, a wrong option, or a run that failed, in one line.
    """
    chosen = recipe if isinstance(recipe, Recipe) else find_recipe(str(recipe))
    options = Options(
        labels=labels,
        out=None if out is None else Path(out),
        time_budget=time_budget,
        weights_dir=None if weights_dir is None else Path(weights_dir),
        device=device,
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=None if corrections is None else Path(corrections),
        val_fraction=val_fraction or chosen.val_fraction or Options.val_fraction,
        test_fraction=test_fraction,
        replicates=replicates,
    )
    if chosen.anomaly is not None and not folds and seeds == 1:
        return detect([chosen], Path(data), DetectOptions(options), voice)[0]
    if folds or seeds > 1:
        return repeat_recipe(chosen, Path(data), options, folds=folds, seeds=seeds, voice=voice)
    return train_recipe(chosen, Path(data), options, voice)


def audit(
    data: str | Path,
    *,
    labels: str = "folders",
    out: str | Path | None = None,
    patient_pattern: str | None = None,
    corrections: str | Path | None = None,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    voice: Voice | None = None,
) -> AuditedData:
    """Looks for everything that is wrong with a data set before anybody trains on it.

    Args:
        data: a folder of class folders, of train/ and test/ folders of those, or a CSV or Parquet manifest.
        labels: `folders`, `kermany3`, or a regular expression with a group named `label`.
        out: where `audit.json` and `audit.html` go; `runs/NAME` when None, as for a study of the same data.
        patient_pattern: regular expression on the path; its groups make the patient key.
        corrections: a suspected-labels.csv with corrected labels filled in.
        val_fraction, test_fraction: as for `study`.
        voice: told what goes on; None is silent.

    Returns:
        The findings with the manifest that they are about, and the page.

    Raises:
        HilumError: no usable data or a wrong option, in one line.
    """
    command = _as_typed(audit, locals())
    options = Options(
        labels=labels,
        out=None if out is None else Path(out),
        seed=seed,
        patient_pattern=patient_pattern,
        corrections=None if corrections is None else Path(corrections),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        command=command,
    )
    return run_audit(Path(data), options, voice)


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    labels: str = "folders",
    mapping: Sequence[str] = (),
    tta: Sequence[str] = (),
    prevalence: float | None = None,
    recalibrate: float | None = None,
    patient_pattern: str | None = None,
    replicates: int = 1000,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Trial:
    """Tries a model on somebody else's data.

    Where the model file lies in its study, the opening goes into the study's ledger, and images that the model was
    trained or chosen on are left out.

    Args:
        model: a model file.
        data: a folder of class folders, or a CSV or Parquet manifest; all its images are used, whatever their split.
        labels: `folders`, `kermany3`, or a regular expression with a group named `label`.
        mapping: such as `pneumonia=bacteria+virus`, see `hilum.evaluation.mapping.map_labels`.
        tta: a policy of the model's recipe, or names of views; empty takes those of the model file.
        prevalence: share of the ill, in (0, 1), at which PPV and NPV are given too.
        recalibrate: share of the patients, in (0, 1), on which probabilities and thresholds are fitted anew.
        out: folder; `runs/STUDY-RUN-on-DATA` when None.

    Returns:
        Figures with intervals; it shows itself in a notebook.

    Raises:
        HilumError: no model file, no usable data, or an option that does not fit, in one line.
    """
    options = TrialOptions(
        labels=labels,
        mapping=mapping,
        tta=tta,
        prevalence=prevalence,
        recalibrate=recalibrate,
        patient_pattern=patient_pattern,
        out=None if out is None else Path(out),
        device=device,
        seed=seed,
        replicates=replicates,
        reason="hilum.evaluate",
    )
    return evaluate_on(Path(model), Path(data), options, voice)


def plan(
    *,
    study: str | Path | None = None,
    figure: str | None = None,
    label: str = "",
    expect: float | None = None,
    within: float = 0.02,
    against: float | None = None,
    discordant: Sequence[float] = (),
    score_correlation: Sequence[float] = (),
    images: int | None = None,
    patients: int | None = None,
    per_patient: float | None = None,
    correlation: float | None = None,
    design_effect: float | None = None,
    prevalence: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> Plan:
    """How many images and patients a question needs, or what so many can decide.

    Args:
        study: a study's folder as a pilot; what is None below is then taken from it.
        figure: `accuracy`, `sensitivity`, `specificity` or `auroc`; None is accuracy, with a study all it has.
        label: only this class of the study.
        expect: in (0, 1); 0.9 when None.
        within: half the width that the interval may have.
        against: the figure of another model that it is to be told apart from.
        discordant: shares of the images on which just one of the two models is right; empty tries a range.
        score_correlation: for AUROC, of the two models' scores within a class.
        images, patients: the other way round: what so many decide.
        per_patient: images a patient; 1 when None.
        correlation: of two images of one patient, in [0, 1]; 1 when None.
        design_effect: instead of `correlation`.
        prevalence: share of the class among all images.

    Returns:
        Answers with sentences; they show themselves in a notebook.

    Raises:
        HilumError: options that do not go together, or no study, in one line.
    """
    named = {"expect": expect, "prevalence": prevalence, "per_patient": per_patient, "correlation": correlation}
    given = frozenset(name for name, value in named.items() if value is not None)
    each = 1.0 if per_patient is None else per_patient
    if design_effect is not None:
        if correlation is not None:
            raise UsageError("--correlation, --design-effect", expected="one of the two", found="both")
        given |= {"correlation"}
        clustering = Clustering.with_effect(each, each, design_effect)
    else:
        clustering = Clustering(each, each, 1.0 if correlation is None else correlation)
    if {"per_patient", "correlation"} & given:
        given |= {"clustering"}
    wish = Wish(
        figure=figure or "accuracy",
        expect=0.9 if expect is None else expect,
        within=within,
        against=None if study is not None else against,  # beside a figure that the study is still to give
        discordant=tuple(discordant),
        score_correlation=tuple(score_correlation),
        prevalence=prevalence,
        power=power,
        level=level,
        clustering=clustering,
    )
    folder = None if study is None else Path(study)
    return make_plan(
        folder, wish, figure=figure, label=label, against=against, images=images, patients=patients, given=given
    )


def autopsy(report: str | Path | Mapping[str, object], *, out: str | Path | None = None) -> Autopsy:
    """Says whether a printed confusion matrix and the figures beside it can all be true.

    Args:
        report: a file (JSON, CSV or text), a study's folder, the figures as typed text such as
            `87 147 / 128 262, accuracy 86.7, n 234 390`, or a mapping like the JSON file.
        out: also write a page there.

    Returns:
        What was understood, and the findings; `impossible` holds those that cannot be true.

    Raises:
        DataError: nothing in it that could be checked, in one line.
    """
    result = take_apart(read_report(report))
    if out is not None:
        write_autopsy_page(result, Path(out))
    return result


def explain(
    model: str | Path,
    images: str | Path | Sequence[str | Path],
    *,
    method: str = "gradcam",
    target: str | None = None,
    against: str | None = None,
    layer: str | None = None,
    out: str | Path | None = None,
    device: str = "auto",
) -> Explained:
    """Heat maps of pictures, written as overlays, raw maps and a page; `Predictor.explain` gives one in memory.

    Args:
        model: a model file.
        images: a file or folder, or several; whatever hilum reads.
        method: `gradcam`, `gradcam++`, `layercam`, or `rollout` for a ViT.
        target: the class that the maps speak for; None = the most probable one of each picture.
        against: a class whose score is taken off: what speaks for one rather than the other.
        layer: a stage or module of the network; None = what suits its family.
        out: folder; `runs/explain` when None.

    Raises:
        HilumError: no model file, no usable picture, or an option that does not fit, in one line.
    """
    paths = [images] if isinstance(images, (str, Path)) else list(images)
    options = ExplainOptions(method, target, against, layer, None if out is None else Path(out), device)
    return explain_paths(Path(model), [Path(each) for each in paths], options)


def export(
    model: str | Path,
    *,
    format: str = "onnx",
    out: str | Path | None = None,
    int8: bool = False,
    data: str | Path | None = None,
    images: int = 200,
    replicates: int = 1000,
    seed: int = 0,
) -> ExportResult:
    """A model file as ONNX or OpenVINO, compared with torch; `hilum.load` takes what it writes, without torch.

    Args:
        model: a model file.
        format: `onnx` or `openvino`.
        out: the file; beside the model file when None.
        int8: compute in int8, calibrated on training pictures.
        data: a folder of pictures to compare and calibrate on, for a model file outside its study.
        images: how many to calibrate on.
        replicates, seed: of the bootstrap behind the intervals of what int8 changes.

    Raises:
        HilumError: no model file, a network that cannot be exported, or int8 without pictures, in one line.
    """
    options = ExportOptions(
        format=format,
        out=None if out is None else Path(out),
        int8=int8,
        data=None if data is None else Path(data),
        images=images,
        replicates=replicates,
        seed=seed,
    )
    return export_model(Path(model), options)


def serve(
    models: str | Path | Sequence[str | Path] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str = "",
    indexes: Sequence[str | Path] = (),
    dicom: Mapping[str, object] | None = None,
    device: str = "auto",
    engine: str = "auto",
    on_ready: Callable[[str, list[str]], None] = lambda _address, _models: None,
    **bounds: int | float,
) -> Tally:
    """Puts models behind an HTTP API and a page, and returns when Ctrl-C or SIGTERM has ended it.

    Args:
        models: one model file or several; none takes the one in the box.
        host: address to listen on; any but a loopback address needs a token.
        port: 0 takes a free one.
        token: what clients must send, 16 characters or more.
        indexes: of neighbours, one a model in their order.
        dicom: `port`, `node` and `outbox` of a DICOM node, perhaps `title`, `host`, `allowed`; see `docs/dicom.md`.
        device, engine: where and with what to compute.
        on_ready: told of the address and the models' names when requests are taken.
        bounds: other fields of `hilum.serving.http.settings.Settings`, such as `queue` and `max_bytes`.

    Raises:
        HilumError: no model file, no token where one is needed, an address that is taken, a missing package, or a
            running event loop (a notebook), in one line.
    """
    paths = [models] if isinstance(models, (str, Path)) else models
    node = {name: Path(str(value)) if name == "outbox" else value for name, value in (dicom or {}).items()}
    return run_serving(
        [Path(each) for each in paths],
        indexes=[Path(each) for each in indexes],
        device=device,
        engine=engine,
        dicom=node,
        on_ready=on_ready,
        host=host,
        port=port,
        token=token,
        **bounds,
    )


def verify(study: str | Path, *, data: str | Path | None = None) -> Verification:
    """Computes every printed number of a folder again from its predictions, its manifest and the pictures.

    Args:
        study: a folder of `study`, `train`, `audit` or `evaluate`, or of `hilum tune`.
        data: where the pictures lie now; None where the manifest says, or inside the folder.

    Returns:
        What differs, with what was expected; what could not be checked, and why. It shows itself in a notebook.

    Raises:
        HilumError: nothing there that hilum wrote.
    """
    return verify_folder(Path(study), data=None if data is None else Path(data))


def anomaly(
    what: str | Path | Recipe,
    data: str | Path,
    *,
    beside: str | Path | Recipe | None = None,
    labels: str = "folders",
    normal: str = "",
    rate: float | None = None,
    test: bool = False,
    time_budget: float | None = None,
    patient_pattern: str | None = None,
    replicates: int = 1000,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Detection:
    """How well normal and abnormal images are told apart by detectors that were fitted on normal ones alone.

    Args:
        what: a model file, whose embeddings and patches count, or a recipe of an autoencoder, such as `e-anomaly`.
        beside: the other of the two, for one table of both.
        normal: the normal class; empty = the one whose name says so.
        rate: false alarms that each detector may raise among normal images; None = 0.05, or the recipe's.
        test: also open the test split; the opening is written into the study's ledger.
        time_budget: seconds for the autoencoder; None means no limit.
        out: the folder; that of the model's study, or `runs/NAME`, when None.
        data, labels, patient_pattern, replicates, device, seed, voice: as in `study`.

    Raises:
        HilumError: nothing of that kind, no usable data, or no normal class, in one line.
    """
    options = Options(
        labels=labels,
        out=None if out is None else Path(out),
        time_budget=time_budget,
        patient_pattern=patient_pattern,
        replicates=replicates,
        device=device,
        seed=seed,
    )
    names = [each if isinstance(each, Recipe) else str(each) for each in (what, beside) if each is not None]
    return detect(names, Path(data), DetectOptions(options, normal, rate, test), voice)[0]


def embed(
    model: str | Path,
    data: str | Path,
    *,
    layer: str = "embedding",
    labels: str = "folders",
    patient_pattern: str | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    voice: Voice | None = None,
) -> Embedded:
    """What a model makes of each image before it names a class.

    Args:
        model: a model file.
        data: a folder of class folders, or a CSV or Parquet manifest; the model's own data keep their split.
        layer: `embedding`, `hidden`, or a stage by name, see `hilum.inspection.embed.embed_layer`.
        labels, patient_pattern, device, voice: as in `study`.
        out: a Parquet file to write.

    Returns:
        One row an image, keyed by its path.

    Raises:
        HilumError: no model file, no usable data, or no such layer, in one line.
    """
    place = None if out is None else Path(out)
    return embed_data(
        Path(model), Path(data), layer=layer, labels=labels, patient_pattern=patient_pattern, out=place, device=device,
        voice=voice,
    )  # fmt: skip


def neighbors(
    model: str | Path,
    data: str | Path | Sequence[str | Path],
    *,
    index: str | Path | None = None,
    k: int = 0,
    metric: str = "",
    weights: str = "",
    layer: str = "",
    labels: str = "folders",
    patient_pattern: str | None = None,
    allow_leak: bool = False,
    replicates: int = 1000,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> NeighborsResult:
    """Calls images by the training images that lie nearest.

    Args:
        model: a model file.
        data: image files, each answered with its neighbours; or labelled data: figures with intervals, as `hilum
            neighbors` does.
        index: an index of neighbours; None takes the one beside the model, or makes one from its study.
        k, metric, weights: how neighbours vote; 0 and empty let validation choose.
        layer: `embedding` or `hidden`; the recipe's when left out.
        allow_leak: also answer for images that the model or its index has seen; the answer says so.
        out: a folder for the page, and for predictions and figures.

    Returns:
        Answers and figures; each shows itself in a notebook, with the pictures.

    Raises:
        HilumError: no model, no index, no usable data, or only images that were seen, in one line.
    """
    paths = [data] if isinstance(data, (str, Path)) else list(data)
    options = NeighborsOptions(
        index=None if index is None else Path(index), k=k, metric=metric, weights=weights, layer=layer, labels=labels,
        patient_pattern=patient_pattern, allow_leak=allow_leak, replicates=replicates,
        out=None if out is None else Path(out), device=device, seed=seed,
    )  # fmt: skip
    return neighbors_of(Path(model), [Path(each) for each in paths], options, voice)


def project(
    model: str | Path,
    *,
    out: str | Path = "map",
    method: str = "tsne",
    perplexity: float = 30.0,
    points: int = 1500,
    oversample: bool = False,
    test: bool = False,
    device: str = "auto",
    seed: int = 0,
    voice: Voice | None = None,
) -> Map:
    """Draws the map of a model's embedding, with the purity of its neighbourhoods.

    Args:
        model: a model file in its study.
        out: a folder for the page, the points and the small pictures.
        method: `tsne`, `umap` or `pca`.
        perplexity: of t-SNE; for UMAP the number of neighbours.
        points: images that are drawn at most.
        oversample: adds the copies of one oversampled epoch, changed by the recipe's augmentation.
        test: draws test images too; their purity is a figure, so the opening is written into the ledger.

    Raises:
        HilumError: no study around the model, or an option that makes no map, in one line.
    """
    return project_run(
        Path(model), Path(out), method=method, perplexity=perplexity, points=points, oversample=oversample, test=test,
        device=device, seed=seed, voice=voice,
    )  # fmt: skip
