"""The seal of a folder: what it holds, what it sees, and what sealing again does not hide."""

import json

import pytest

from hilum.evaluation import record_opening
from hilum.workflow.seal import BrokenSeal, extend_ledger, extend_seal, find_changes, read_seal, sealed


@pytest.fixture
def folder(tmp_path):
    with sealed(tmp_path, "first"):
        (tmp_path / "run").mkdir()
        (tmp_path / "cache").mkdir()
        (tmp_path / "run" / "history.csv").write_text("epoch,loss\n1,0.5\n")
        (tmp_path / "cache" / "canvases.npy").write_bytes(b"pixels")
        (tmp_path / "suspected-labels.csv").write_text("image_path,corrected\na,\n")
        (tmp_path / "report.html").write_text("0.91")
    return tmp_path


def changes(folder):
    return [each.file for each in find_changes(folder, read_seal(folder))]


def test_every_file_is_sealed_but_those_that_people_fill_in_and_those_that_are_made_anew(folder):
    seal = read_seal(folder)
    assert set(seal.files) == {"run/history.csv", "report.html"}
    assert changes(folder) == [] and not seal.working and [each["command"] for each in seal.history] == ["first"]


def test_a_changed_and_a_deleted_file_are_seen_also_after_the_folder_was_moved(folder):
    moved = folder.rename(folder.parent / "moved")
    assert changes(moved) == []
    (moved / "run" / "history.csv").write_text("epoch,loss\n1,0.4\n")
    (moved / "report.html").unlink()
    assert sorted(changes(moved)) == ["report.html", "run/history.csv"]


def test_a_seal_that_was_changed_is_no_seal(folder):
    text = (folder / "seal.json").read_text()
    for other in (text.replace('"first"', '"other"'), text[:-20], text.replace("{", "{ ", 1), ""):
        (folder / "seal.json").write_text(other)
        with pytest.raises(BrokenSeal):
            read_seal(folder)


def test_sealing_again_keeps_what_other_hands_changed_until_it_is_made_anew(folder):
    (folder / "run" / "history.csv").write_text("epoch,loss\n1,0.4\n")
    (folder / "report.html").write_text("0.99")
    with sealed(folder, "second"):
        (folder / "report.html").write_text("0.91")
    seal = read_seal(folder)
    assert [each.file for each in seal.altered] == ["run/history.csv"] and seal.altered[0].noticed
    with sealed(folder, "third"):
        pass
    assert [each.file for each in read_seal(folder).altered] == ["run/history.csv"]
    with sealed(folder, "fourth"):
        (folder / "run" / "history.csv").write_text("epoch,loss\n1,0.3\n")
    assert read_seal(folder).altered == ()


def test_a_broken_seal_is_not_mended_by_sealing_again(folder):
    (folder / "seal.json").write_text("{}")
    with sealed(folder, "second"):
        pass
    assert [each.file for each in read_seal(folder).altered] == ["seal.json"]


def test_a_command_that_fails_seals_and_one_that_was_killed_is_known(folder):
    with pytest.raises(ValueError), sealed(folder, "second"):
        (folder / "new.txt").write_text("left behind")
        assert read_seal(folder).working[0]["command"] == "second"
        raise ValueError
    assert "new.txt" in read_seal(folder).files and not read_seal(folder).working


def test_two_commands_at_once_do_not_accuse_each_other(folder):
    with sealed(folder, "one"):
        (folder / "one.txt").write_text("1")
        with sealed(folder, "two"):
            (folder / "one.txt").write_text("2")
        (folder / "one.txt").write_text("3")
    assert changes(folder) == [] and read_seal(folder).altered == ()


def test_a_page_that_was_written_again_leaves_other_entries_alone(folder):
    (folder / "run" / "history.csv").write_text("epoch,loss\n1,0.4\n")
    (folder / "report.html").write_text("0.92")
    extend_seal(folder, ["report.html"], "report")
    assert changes(folder) == ["run/history.csv"]


def test_a_ledger_that_grows_is_no_change_and_one_that_was_cut_is(tmp_path):
    about = {"run": "r", "recipe": "r", "model_sha256": "0", "predictions": "p", "images": 3, "reason": "why"}
    with sealed(tmp_path, "first"):
        record_opening(tmp_path, **about)
    before = (tmp_path / "ledger.jsonl").read_bytes()
    record_opening(tmp_path, **about)
    assert changes(tmp_path) == []
    extend_ledger(tmp_path, "evaluate")
    (tmp_path / "ledger.jsonl").write_bytes(before)
    assert changes(tmp_path) == ["ledger.jsonl"]
    extend_ledger(tmp_path, "evaluate")
    assert changes(tmp_path) == ["ledger.jsonl"]


def test_a_folder_with_a_seal_of_its_own_is_left_to_it(folder):
    inner = folder / "theirs"
    inner.mkdir()
    with sealed(inner, "inner"):
        (inner / "metrics.json").write_text("{}")
    with sealed(folder, "outer"):
        pass
    seal = read_seal(folder)
    assert seal.nested == ("theirs",) and not any(name.startswith("theirs") for name in seal.files)


def test_the_seal_is_plain_json_with_relative_paths(folder):
    document = json.loads((folder / "seal.json").read_text())
    assert document["schema"] == "hilum.seal/1" and not any(name.startswith("/") for name in document["files"])
    assert str(folder) not in (folder / "seal.json").read_text()
