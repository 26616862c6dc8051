"""The model card: what it says is what the files say, nothing in a name is markup, and it can be made again."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from hilum.data.manifest import read_manifest
from hilum.data.predictions import Predictions, read_predictions
from hilum.errors import DataError
from hilum.evaluation.ledger import record_opening
from hilum.evaluation.subgroups import find_subgroups
from hilum.evaluation.values import read_evaluations
from hilum.labels import LabelSet
from hilum.report import render_card, write_card
from hilum.report.answers import write_answers
from hilum.report.markdown import code, plain, prose
from hilum.report.words import render_estimate

RUN = "finetuned-small"


@pytest.fixture(scope="module")
def study(make_study):
    return make_study()


def test_figures_are_those_of_the_metrics_file(study):
    card = render_card(study / RUN)
    for split, evaluation in read_evaluations(study / RUN / "metrics.json").items():
        assert evaluation.source["predictions_sha256"][:12] in card
        for name in ("accuracy", "auroc", "log_loss"):
            figure = render_estimate(evaluation.overall[name], percent=name == "accuracy").replace("\u00a0", " ")
            assert figure in card, (split, name)
    rows = [" | ".join(map(str, row)) for row in evaluation.confusion]
    assert all(row in card for row in rows)


def test_it_says_what_it_is_not_for_and_what_is_missing(study):
    card = render_card(study / RUN)
    assert "not a medical device" in card and "Drawn X-rays, not real ones" in card
    assert "The data were not audited" in card and card.count("*not filled in yet*") == 4
    manifest = read_manifest(study / "manifest.parquet")
    assert manifest.fingerprint in card


def test_a_card_of_validation_only_says_so(make_study):
    card = render_card(make_study(test=False) / RUN)
    assert "the test split was not opened for this model" in card and "never, as far as the ledger" in card


def test_openings_are_counted(make_study):
    study = make_study(openings=3)
    assert "3 times in this study, 3 times by this run" in render_card(study / RUN)
    assert "once in this study" in render_card(study / RUN, openings=1)


def test_looks_at_other_data_are_listed_and_are_no_looks_at_test(make_study):
    study = make_study(openings=1)
    record_opening(
        study, run=RUN, recipe=RUN, model_sha256="0" * 64, predictions="theirs/predictions-other.parquet", images=77,
        reason="hilum evaluate theirs", split="other",
    )  # fmt: skip
    card = render_card(study / RUN)
    assert "once in this study" in card and "Other data: once" in card
    assert "| other data | finetuned-small | hilum evaluate theirs | 77 | `theirs/predictions-other.parquet` |" in card


def test_sure_mistakes_are_counted(study):
    predictions = read_predictions(study / RUN / "predictions-test.parquet")
    sure = [max(row) >= 0.9 for row in predictions.probs]
    wrong = [
        list(row).index(max(row)) != target for row, target in zip(predictions.probs, predictions.target, strict=True)
    ]
    both = sum(a and b for a, b in zip(sure, wrong, strict=True))
    said = re.findall(r"(\d+) of its (\d+) wrong answers? on test came with", render_card(study / RUN))
    assert said == ([(str(both), str(sum(wrong)))] if both else [])
    assert "Nothing of the kind was looked into" in render_card(study / RUN)


def test_a_collapsed_model_is_worth_nothing(make_study):
    study = make_study(runs=[("vit-tiny", "collapsed")])
    assert "**Worth nothing as it stands:**" in render_card(study / "vit-tiny")


def test_a_study_gives_the_card_of_its_chosen_run(study):
    assert render_card(study) == render_card(study / RUN)
    assert write_card(study / RUN).read_text(encoding="utf-8") == render_card(study)


def test_names_cannot_break_out(make_study):
    hostile = ("normal<script>x</script>", "ill | *b* [l](javascript:x)\n# h `c`")
    card = render_card(make_study(labels=hostile) / RUN)
    assert "<script" not in card and not re.search(r"(?<!\\)\]\(javascript", card) and "\n# h" not in card
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in card.splitlines() if line.startswith("| normal")}
    assert len(widths) <= 3, "a row of the tables has more cells than its header"


@pytest.mark.parametrize("text", ["a|b", "<b>", "`x`", "*y*", "a\nb", "# h", "\\|", "\u202eabc"])
def test_text_stays_text(text):
    assert "\n" not in plain(text) and not re.search(r"(?<!\\)[|`*<]", plain(text))
    assert code(text).count("`") == 2 and "\n" not in code(text)
    assert prose("run `hilum plan` now") == "run `hilum plan` now"


def test_answers_of_people_come_in(make_study):
    study = make_study()
    form = write_answers(study, [])
    table = pd.read_csv(form, dtype=str).fillna("")
    table.loc[table["item"] == "licence", "answer"] = "CC BY-NC 4.0 | see <LICENCE>"
    table.to_csv(form, index=False)
    card = render_card(study)
    assert "CC BY-NC 4.0 \\| see &lt;LICENCE&gt;" in card and card.count("*not filled in yet*") == 3
    assert "CC BY-NC" in write_answers(study, []).read_text()
    form.write_text("nonsense\n1\n")
    with pytest.raises(DataError, match=r"answers\.csv"):
        render_card(study)


def test_groups_of_people_get_figures():
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"image_path": [f"{i}.png" for i in range(200)], "patient_id": [f"p{i}" for i in range(200)]})
    rows = rows.assign(
        split="test", label=np.where(np.arange(200) % 2, "ill", "normal"), sex=np.where(np.arange(200) < 80, "F", "M"),
        view="PA", source=[None] * 200, age_years=np.r_[np.full(30, 5.0), np.full(165, 50.0), np.full(5, 70.0)],
    )  # fmt: skip
    logits = np.stack([1 - np.arange(200) % 2, np.arange(200) % 2], axis=1) * 4.0 + generator.normal(0, 1, (200, 2))
    logits[:40] = logits[:40, ::-1]
    groups = find_subgroups(Predictions.of(rows, logits, LabelSet(("normal", "ill"))), rows.sample(frac=1))
    found = {(each.column, each.value): each for each in groups}
    assert set(found) == {("sex", "F"), ("sex", "M"), ("age in years", "0 to 17"), ("age in years", "40 to 64")}
    right = (logits.argmax(axis=1) == np.arange(200) % 2)[:80]
    assert found["sex", "F"].accuracy.value == pytest.approx(right.mean()) and found["sex", "F"].images == 80
    assert found["sex", "F"].accuracy.ci_high < found["sex", "M"].accuracy.ci_low


def test_known_groups_stand_in_the_card(make_study):
    study = make_study(images={"train": 8, "val": 12, "test": 24})
    manifest = read_manifest(study / "manifest.parquet")
    views = np.where(np.arange(len(manifest.table)) % 2, "AP", "PA")
    manifest.with_table(manifest.table.assign(view=views)).write(study / "manifest.parquet")
    groups = find_subgroups(
        read_predictions(study / RUN / "predictions-test.parquet"), manifest.table.assign(view=views)
    )
    card = render_card(study)
    assert "Right, by view, on test: AP" in card
    assert all(render_estimate(each.accuracy, percent=True).replace("\u00a0", " ") in card for each in groups)


def test_a_folder_without_figures_is_one_line(tmp_path):
    with pytest.raises(DataError, match="figures"):
        render_card(tmp_path)
    (tmp_path / "study.json").write_text(json.dumps({"schema": "hilum.study/1"}))
    with pytest.raises(DataError, match="chosen run"):
        render_card(tmp_path)


def test_a_class_is_only_set_apart_where_its_interval_is(study):
    from hilum.report.sections.per_class import describe_classes

    evaluation = read_evaluations(study / RUN / "metrics.json")["test"]
    card = render_card(study / RUN)
    assert plain(describe_classes(evaluation)).replace("\u00a0", " ") in card and "least:" not in card
