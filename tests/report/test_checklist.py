"""The checklists: complete, ours in wording, never more than was done, every link leading somewhere."""

import csv
import io
import re
from urllib.parse import unquote

import pandas as pd
import pytest

from hilum.data.manifest import read_manifest
from hilum.evaluation.ledger import record_opening
from hilum.report import render_checklist, write_checklist, write_report
from hilum.report.checklist import read_checklist, write_form
from hilum.report.checklist.facts import ANSWERED, FACTS, NOT_DONE, PARTLY, REPORTED, YOURS
from hilum.report.checklist.items import ITEMS

SUB_ITEMS = {
    "3": "abc", "5": "ab", "6": "abc", "8": "abc", "9": "abc", "12": "abcdefg", "18": "abcdef", "20": "abc", "23": "ab",
    "27": "abc",
}  # fmt: skip


def rows_of(study):
    return {(row["list"], row["item"]): row for row in csv.DictReader(io.StringIO(render_checklist(study, "csv")))}


def broken_links(study):
    """Links of the checklist page and of every entry whose file or anchor is not there."""
    report = (study / "report.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="([^"]+)"', report))
    page = render_checklist(study, "html")
    own = set(re.findall(r'id="([^"]+)"', page))
    targets = [
        unquote(each) for each in re.findall(r'href="([^"]+)"', page) if not each.startswith(("https:", "data:"))
    ]
    targets += [each for entry in read_checklist(study).entries for each in entry.evidence]
    missing = []
    for target in targets:
        name, _, anchor = target.partition("#")
        there = (study / name).exists() if name else anchor in own
        if not there or (name == "report.html" and anchor and anchor not in ids):
            missing.append(target)
    return missing


@pytest.fixture(scope="module")
def study(make_study):
    folder = make_study()
    write_checklist(folder)
    write_report(folder)
    return folder


def test_every_item_of_both_papers_is_there():
    claim = [each.number for each in ITEMS if each.guideline == "CLAIM"]
    tripod = [each.number for each in ITEMS if each.guideline == "TRIPOD+AI"]
    assert claim == [str(i) for i in range(1, 45)]
    assert tripod == [f"{i}{sub}" for i in range(1, 28) for sub in SUB_ITEMS.get(str(i), [""])]
    assert len(tripod) == 52 and {each.fact for each in ITEMS} == set(FACTS)


@pytest.mark.parametrize("wishes", [{}, {"test": False}, {"runs": [("a", "failed")]}, {"labels": ("normal", "ill")}])
def test_every_link_leads_somewhere(make_study, wishes):
    folder = make_study(**wishes)
    write_checklist(folder)
    write_report(folder)
    assert not broken_links(folder)


def test_nothing_is_claimed_that_was_not_done(make_study):
    rows = rows_of(make_study(test=False))
    assert rows["CLAIM", "33"]["status"] == NOT_DONE and rows["CLAIM", "31"]["status"] == NOT_DONE
    assert rows["CLAIM", "21"]["status"] == NOT_DONE and rows["TRIPOD+AI", "14"]["status"] == NOT_DONE
    assert rows["CLAIM", "32"]["status"] == PARTLY and "not opened" in rows["CLAIM", "32"]["answer"]
    assert rows["CLAIM", "30"]["status"] == NOT_DONE and rows["TRIPOD+AI", "16"]["status"] == NOT_DONE
    for people in ("2", "3", "4", "5", "11", "15", "16", "17", "34", "44"):
        assert rows["CLAIM", people]["status"] == YOURS
    for people in ("17", "18a", "18b", "18d", "18e", "19", "25", "27b", "27c"):
        assert rows["TRIPOD+AI", people]["status"] == YOURS


def test_without_a_model_nothing_of_one_is_reported(make_study):
    rows = rows_of(make_study(runs=[("a", "failed")]))
    for number in ("22", "24", "25", "26", "28", "32", "37", "38"):
        assert rows["CLAIM", number]["status"] == NOT_DONE, number


def test_patients_in_two_parts_are_not_called_disjoint(make_study):
    folder = make_study()
    manifest = read_manifest(folder / "manifest.parquet")
    manifest.with_table(manifest.table.assign(patient_id="one")).write(folder / "manifest.parquet")
    assert rows_of(folder)["CLAIM", "20"]["status"] == NOT_DONE


def test_images_of_nobody_are_not_called_disjoint_either(make_study):
    folder = make_study()
    manifest = read_manifest(folder / "manifest.parquet")
    assert rows_of(folder)["CLAIM", "20"]["status"] == REPORTED
    rule = {**manifest.facts["patient_rule"], "images_without_patient": 7}
    manifest.with_table(manifest.table, patient_rule=rule).write(folder / "manifest.parquet")
    assert rows_of(folder)["CLAIM", "20"]["status"] == PARTLY


def test_heat_maps_are_reported_only_where_they_were_examined(make_study):
    folder = make_study()
    (folder / "finetuned-small" / "inspection" / "neighbors").mkdir(parents=True)
    assert rows_of(folder)["CLAIM", "31"]["status"] == NOT_DONE


def test_a_look_at_other_data_is_said(make_study):
    folder = make_study()
    record_opening(
        folder, run="x", recipe="x", model_sha256="0" * 64, predictions="p", images=5, reason="r", split="other"
    )  # fmt: skip
    assert rows_of(folder)["CLAIM", "33"]["status"] == PARTLY
    assert render_checklist(folder, "csv", openings=1) != render_checklist(folder, "csv")


def test_answers_are_kept_and_shown(make_study):
    folder = make_study()
    form = write_form(read_checklist(folder))
    table = pd.read_csv(form, dtype=str).fillna("")
    assert not ((table["list"] == "CLAIM") & (table["item"] == "23")).any(), "a reported item is not asked for"
    table.loc[(table["list"] == "CLAIM") & (table["item"] == "44"), "answer"] = "=HYPERLINK(1)"
    table.loc[(table["list"] == "CLAIM") & (table["item"] == "7"), "answer"] = "Two hospitals, 2015 to 2019."
    table.to_csv(form, index=False)
    rows = rows_of(folder)
    assert rows["CLAIM", "44"]["status"] == rows["CLAIM", "7"]["status"] == ANSWERED
    assert rows["CLAIM", "44"]["answer"].startswith("'="), "no spreadsheet takes it for a formula"
    assert rows["CLAIM", "7"]["answer"].endswith("Two hospitals, 2015 to 2019.")
    again = write_form(read_checklist(folder)).read_text(encoding="utf-8")
    assert "Two hospitals" in again and "=HYPERLINK" in again


def test_the_three_forms_say_the_same(study):
    entries = read_checklist(study).entries
    markdown = render_checklist(study, "md")
    assert len(re.findall(r"(?m)^\| \d", markdown)) == len(entries) == 96
    assert len(rows_of(study)) == 96
    assert {each.status for each in entries} <= {REPORTED, PARTLY, NOT_DONE, YOURS}


def test_the_page_is_safe_and_the_same_each_time(make_study):
    folder = make_study(labels=('normal"><script>x</script>', "a|b"))
    page = render_checklist(folder, "html")
    assert "<script" not in page and page == render_checklist(folder, "html")
    assert "<script" not in render_checklist(folder, "md")
