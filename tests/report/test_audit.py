"""The audit in a study's report, and on its own page."""

import re

import pytest

from hilum.audit import Audit, Finding
from hilum.data.manifest import read_manifest
from hilum.evaluation.values import Estimate
from hilum.report import write_audit_page, write_report


@pytest.fixture(scope="module")
def audited_study(make_study):
    """A drawn study with an error, two warnings of one code and a note among its findings."""
    folder = make_study()
    names = tuple(read_manifest(folder / "manifest.parquet").table["image_path"])
    findings = (
        Finding(
            "confounded", "error", "Source is class", "The machine <b> goes with the class.", "Take others.",
            files=names[:3], figures={"machine": Estimate(0.9, 0.8, 1.0)}, table=({"value": "x", "n": 1200},), count=3,
        ),
        Finding("few-of-a-class", "warning", "Few validation images", "Only 9.", "Collect.", count=1),
        Finding("few-of-a-class", "warning", "Few test images", "Only 8.", "Collect.", count=1),
        Finding("identical-files", "note", "Identical files", "Two.", "Keep one.", groups=(names[3:5],), count=1),
    )  # fmt: skip
    facts = {"images": len(names), "patients": 3, "classes": {"normal": 5}, "hilum": "0", "seed": 0}
    parts = [{"name": "files", "seconds": 0.2, "findings": 0, "failed": "ValueError: no"}]
    Audit(findings, {**facts, "parts": parts}).write(folder / "audit.json")
    return folder


def test_an_error_stands_where_the_headline_would(audited_study):
    page = write_report(audited_study).read_text()
    first, audit = page.index("the data are at fault"), page.index('id="audit"')
    assert first < page.index("For the record") < audit < page.index('id="data"')
    assert "The machine &lt;b&gt; goes with the class." in page
    for code in ("confounded", "few-of-a-class"):
        assert f"<code>{code}</code>" in page
    assert "Identical files" in page


@pytest.mark.parametrize("write", [write_report, write_audit_page])
def test_ids_are_unique_and_links_lead_somewhere(audited_study, write):
    page = write(audited_study).read_text()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_the_page_shows_pictures_figures_tables_and_what_failed(audited_study):
    page = write_audit_page(audited_study).read_text()
    assert page.count("data:image/webp") == 5
    assert 'data-figure="audit/confounded/machine"' in page and "1,200" in page
    assert "ValueError: no" in page
    assert "1\N{NO-BREAK SPACE}error and 2\N{NO-BREAK SPACE}warnings were found" in page
    assert "<script" not in page and "http://" not in page and "https://" not in page


def test_a_healthy_audit_is_no_banner(make_study):
    folder = make_study()
    Audit((), {"images": 1}).write(folder / "audit.json")
    page = write_report(folder).read_text()
    assert "at fault" not in page and "Nothing was found" in page
