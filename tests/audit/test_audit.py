"""The whole audit through its front doors: healthy data bring no error, planted faults do, nothing stops it."""

import inspect
import json

import numpy as np
import pytest

import hilum
from hilum.audit import audit_manifest, read_audit
from hilum.errors import DataError


@pytest.mark.parametrize("seed", range(3))
def test_healthy_drawn_sets_have_no_error(audited, seed):
    result, _ = audited(160, seed=100 + seed)
    assert [each.sentence for each in result.audit.errors] == []
    assert not any(part.get("failed") for part in result.audit.facts["parts"])


def test_the_folder_holds_what_was_found(audited):
    result, _ = audited(120, seed=7, near_duplicates=0.2)
    read = read_audit(result.folder / "audit.json")
    assert [each.code for each in read.findings] == [each.code for each in result.audit.findings]
    page = result.report.read_text()
    for finding in read.findings:
        assert f"<code>{finding.code}</code>" in page
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert "data:image/webp" in page
    assert result.audit.facts["images"] == len(result.manifest)


def test_the_same_data_are_not_audited_twice(audited, monkeypatch):
    result, _ = audited(60, seed=8)

    def must_not(*_args, **_options):
        raise AssertionError("audited again")

    monkeypatch.setattr("hilum.workflow.audit.audit_manifest", must_not)
    data = result.folder.parent / "data"
    again = hilum.audit(data, out=result.folder)
    assert [each.code for each in again.audit.findings] == [each.code for each in result.audit.findings]
    with pytest.raises(AssertionError):
        hilum.audit(data, out=result.folder, seed=5)


def test_a_part_that_fails_is_named_and_the_others_go_on(audited, monkeypatch):
    def breaks(*_args, **_options):
        raise ValueError("surprise")

    monkeypatch.setattr("hilum.audit.audit.find_confounding", breaks)
    result, _ = audited(60, seed=9)
    failed = {part["name"]: part["failed"] for part in result.audit.facts["parts"] if "failed" in part}
    assert set(failed) == {"confounding"} and "surprise" in failed["confounding"]
    assert result.audit.of("patient-key")
    assert "surprise" in result.report.read_text()


def test_canvases_of_other_data_are_refused(audited):
    result, _ = audited(60, seed=9)
    with pytest.raises(DataError, match="one for each"):
        audit_manifest(result.manifest, np.zeros((3, 64, 64), np.uint8))


def test_the_room_can_be_called_and_says_how():
    assert "data" in inspect.signature(hilum.audit).parameters
    assert hilum.audit.audit_manifest is audit_manifest


def test_the_document_is_plain_json(audited):
    result, _ = audited(60, seed=9)
    document = json.loads((result.folder / "audit.json").read_text())
    assert document["schema"] == "hilum.audit/1"
    assert {"code", "severity", "sentence", "way_out", "files", "figures"} <= set(document["findings"][0])
