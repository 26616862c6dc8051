"""What a study knows about its model and how it was made."""

from __future__ import annotations

from hilum.report.checklist.fact import PARTLY, REPORTED, YOURS, Fact, at, fact, no_model, setting_of
from hilum.report.sections.headline import NOT_FOR
from hilum.report.study_folder import Study
from hilum.report.words import join_words, render_count


@fact
def you(study: Study) -> Fact:
    return Fact(YOURS, "No file of the study can know this.")


@fact
def technology(study: Study) -> Fact:
    name = setting_of(study, "model", "name")
    if not name:
        return Fact(YOURS, "The study has no model to name.")
    labels = join_words(study.labels)
    text = f"Deep learning ({name}), a classifier of chest X-rays into {labels}. Your title has to say so."
    return Fact(PARTLY, text, at(study, "#making", "RUN/model-card.md"))


@fact
def goal(study: Study) -> Fact:
    text = (
        f"A model that tells {join_words(study.labels)} apart was built, and tried on images of the same collection. "
        "The aims beyond that are yours to name."
    )
    return Fact(PARTLY, text, at(study, "#runs", "#chosen"))


@fact
def preprocessing(study: Study) -> Fact:
    settings = study.chosen.recipe.get("preprocessing") if study.chosen else None
    if not settings:
        return no_model()
    side = settings.get("image_size")
    equalised = "grey levels equalised" if settings.get("equalise") else "grey levels left as they are"
    text = (
        f"Every picture becomes grey, {side} by {side} pixels ({settings.get('fit')}), {equalised}, normalised "
        f"({settings.get('normalisation')}); the same code in training, testing and use, for everybody alike."
    )
    return Fact(REPORTED, text, at(study, "#making", "RUN/recipe.json"))


@fact
def model(study: Study) -> Fact:
    name, run = setting_of(study, "model", "name"), study.chosen
    if run is None or not name:
        return no_model()
    parameters = run.environment.get("parameters")
    size = f", {int(parameters):,} parameters" if parameters else ""
    text = f"{name}{size}; one grey picture in, {len(study.labels)} probabilities out. The model file holds all of it."
    return Fact(REPORTED, text, at(study, "#making", "RUN/model.safetensors", "RUN/recipe.json", "RUN/model-card.md"))


@fact
def software(study: Study) -> Fact:
    versions = {"hilum": study.facts.hilum, **study.facts.versions}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return Fact(REPORTED, f"Open source: {listed}.", at(study, "#making", "study.json"))


@fact
def initial(study: Study) -> Fact:
    if study.chosen is None or not study.chosen.environment:
        return no_model()
    weights = study.chosen.environment.get("weights")
    text = f"Pre-trained weights {weights.get('name')}." if weights else "Random values."
    return Fact(REPORTED, f"{text} Seed {study.facts.seed}.", at(study, "#making", "RUN/environment.json"))


@fact
def training(study: Study) -> Fact:
    if study.chosen is None or not study.chosen.recipe:
        return no_model()
    epochs = study.chosen.environment.get("epochs_done")
    runs = render_count(len(study.facts.runs), "recipe")
    text = f"Every setting is listed; {runs} in all were tried on one split into training and validation"
    text += f"; the chosen one trained {epochs} epochs." if epochs else "."
    return Fact(REPORTED, text, at(study, "#making", "#chosen", "RUN/recipe.json", "RUN/history.csv"))


@fact
def selection(study: Study) -> Fact:
    if study.chosen is None:
        return no_model()
    text = (
        f"{study.chosen.name} had the highest AUROC on validation (to three decimals, then the lowest log loss). Its "
        "epoch, temperature and thresholds were chosen there too; test was not looked at for it."
    )
    return Fact(REPORTED, text, at(study, "#runs", "leaderboard.csv", "comparison.json"))


@fact
def ensemble(study: Study) -> Fact:
    if study.chosen is None:
        return no_model()
    views = [str(each) for each in study.chosen.recipe.get("tta", ()) or ()]
    averaged = f" Its answers are averaged over the views {join_words(views)}." if len(views) > 1 else ""
    return Fact(REPORTED, f"None: one network answers.{averaged}", at(study, "#making", "RUN/recipe.json"))


@fact
def use(study: Study) -> Fact:
    return Fact(YOURS, f"What hilum says of every model: {NOT_FOR}", at(study, "RUN/model-card.md"))


@fact
def protocol(study: Study) -> Fact:
    text = "Technical details: the report, the recipe and the command. Whether there is a protocol is yours to say."
    return Fact(PARTLY, text, at(study, "#making", "RUN/recipe.json", "study.json"))


@fact
def availability(study: Study) -> Fact:
    if study.chosen is None:
        return no_model()
    text = (
        "hilum is open source (Apache-2.0); the model is one file. Whether you give out model and data is yours to say."
    )
    return Fact(PARTLY, text, at(study, "RUN/model.safetensors", "RUN/model-card.md"))


@fact
def predictions(study: Study) -> Fact:
    if study.chosen is None:
        return no_model()
    text = "By the saved model file, read back, in one pass over the split; a line an image in the predictions file."
    return Fact(REPORTED, text, at(study, "RUN/predictions-test.parquet", "RUN/model.safetensors"))


@fact
def imbalance(study: Study) -> Fact:
    balance = setting_of(study, "balance")
    if not balance:
        return no_model()
    how = (
        "Nothing: the classes are as frequent as in the data."
        if balance == "as-is"
        else f"{balance}, in training only."
    )
    calibration = at(study, "RUN/calibration.json")
    after = " Probabilities were mended afterwards by one temperature, fitted on validation." if calibration else ""
    return Fact(REPORTED, how + after, (*at(study, "#making"), *calibration))


@fact
def output(study: Study) -> Fact:
    if study.chosen is None:
        return no_model()
    text = "A probability for each class; the answer is the most probable one."
    points = at(study, "RUN/calibration.json")
    if points:
        text += " Other thresholds were fitted on validation by stated rules."
    return Fact(REPORTED, text, (*at(study, "#chosen"), *points))


@fact
def bad_input(study: Study) -> Fact:
    if study.chosen is None:
        return no_model()
    text = (
        "A file that cannot be read is refused with a code, an odd one gets a warning. What a person is to do then is "
        "yours to say."
    )
    return Fact(PARTLY, text, at(study, "quarantine.csv", "RUN/model-card.md"))
