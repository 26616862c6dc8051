import json
import math
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hilum.errors import ModelFileError
from hilum.labels import LabelSet
from hilum.models import create_model, load_model, read_header, save_model
from hilum.models.modelfile import verify_model

ABOUT = {
    "labels": ["normal", "bacteria", "virus"],
    "preprocessing": {"image_size": 64, "channels": 1},
    "recipe": {"name": "toy", "phases": [{"lr": 1e-3}]},
    "fingerprint": "abc",
    "extras": {"temperature": 1.0625, "counts": {10: 1, 9: 2}, "pair": (1, 2)},
}


def tiny(**arguments):
    return create_model("cnn-tiny", **{"num_classes": 3, "in_channels": 1, "image_size": 64, **arguments})


@pytest.fixture(scope="module")
def model():
    return tiny(hidden=(5,), dropout=0.25, seed=4)


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model, **ABOUT)
    return path


def rewrite(path, change_header=lambda header: None, change_tensors=lambda tensors: None, key="hilum"):
    """Writes the file again with something changed, as someone who does not know of the hash would."""
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["hilum"])
    change_header(header)
    change_tensors(tensors)
    save_file(tensors, path, {key: json.dumps(header)})


def test_what_was_saved_comes_back(model, path):
    again, header = load_model(path)
    image = torch.randn(2, 1, 64, 64)
    assert torch.equal(again(image), model.eval()(image))
    assert (again.architecture, again.fresh, again.training) == (model.architecture, frozenset(), False)
    assert header.labels == ("normal", "bacteria", "virus")
    assert header.preprocessing == ABOUT["preprocessing"] and header.recipe == ABOUT["recipe"]
    assert header.extras == {"temperature": 1.0625, "counts": {"10": 1, "9": 2}, "pair": [1, 2]}
    assert header.fingerprint == "abc" and {"hilum", "torch", "timm"} <= set(header.versions)


def test_the_hash_that_is_returned_is_the_one_in_the_file(model, tmp_path):
    sha256 = save_model(tmp_path / "model.safetensors", model, **ABOUT)
    assert (
        sha256
        == read_header(tmp_path / "model.safetensors").sha256
        == verify_model(tmp_path / "model.safetensors").sha256
    )


def test_the_same_content_gives_the_same_bytes_in_any_process(path, tmp_path):
    code = """
import sys
from hilum.models import load_model, save_model
model, header = load_model(sys.argv[1])
names = ("labels", "preprocessing", "recipe", "fingerprint", "extras")
save_model(sys.argv[2], model, **{name: getattr(header, name) for name in names})
"""
    subprocess.run([sys.executable, "-c", code, str(path), str(tmp_path / "again.safetensors")], check=True)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_memory_layout_does_not_matter(model, path, tmp_path):
    save_model(tmp_path / "other.safetensors", model.to(memory_format=torch.channels_last), **ABOUT)
    assert (tmp_path / "other.safetensors").read_bytes() == path.read_bytes()


def test_no_half_file_is_left(model, path):
    assert [each.name for each in path.parent.iterdir()] == ["model.safetensors"]
    before = path.read_bytes()
    with pytest.raises(ModelFileError):
        save_model(path, model, **{**ABOUT, "extras": {"temperature": math.nan}})
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_the_header_is_read_without_torch(path):
    code = "import sys, hilum.models as room; print(room.read_header(sys.argv[1]).labels, 'torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert answer == "('normal', 'bacteria', 'virus') False\n"


@pytest.mark.parametrize(
    "change",
    [
        {"change_header": lambda header: header["labels"].reverse()},
        {"change_header": lambda header: header["extras"].update(temperature=2.0)},
        {"change_tensors": lambda tensors: tensors["head.0.bias"].add_(1e-6)},
        {"change_tensors": lambda tensors: tensors.update({"head.0.bias": tensors["head.0.bias"].double()})},
        {"change_tensors": lambda tensors: tensors.update({"head.0.bias": tensors["head.0.bias"].view(torch.int32)})},
        {"change_tensors": lambda tensors: tensors.pop("head.0.bias")},
    ],
    ids=["labels-swapped", "extras", "one-number", "another-type", "same-bytes-another-type", "a-tensor-less"],
)
def test_an_altered_file_is_refused(path, change):
    rewrite(path, **change)
    read_header(path)
    with pytest.raises(ModelFileError, match="damaged or altered"):
        load_model(path)


def test_a_flipped_bit_is_found(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="SHA-256"):
        load_model(path)


@pytest.mark.parametrize("length", [0, 5, 8, 500, -1])
def test_a_cut_file_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    for read in (read_header, load_model):
        with pytest.raises(ModelFileError) as error:
            read(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n" + b"x" * 100, b"\xff" * 64, b"PK\x03\x04 a pickle in a zip", b"\x02" + b"\0" * 7 + b"[]"],
)
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ModelFileError, match="written by hilum"):
        load_model(tmp_path / "x.safetensors")


def test_a_safetensors_file_of_someone_else_is_refused(path):
    rewrite(path, key="theirs")
    with pytest.raises(ModelFileError, match="written by hilum"):
        load_model(path)


def test_another_schema_is_refused(path):
    rewrite(path, change_header=lambda header: header.update(schema="hilum.model/99"))
    with pytest.raises(ModelFileError, match=r"expected hilum\.model/1, found hilum\.model/99"):
        read_header(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"nowhere\.safetensors"):
        load_model(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "b"]])
def test_labels_must_fit_the_outputs(model, tmp_path, labels):
    with pytest.raises(ModelFileError, match="3 names, one a class"):
        save_model(tmp_path / "model.safetensors", model, **{**ABOUT, "labels": labels})


def test_a_model_for_other_labels_is_refused(path):
    load_model(path, labels=LabelSet(("normal", "bacteria", "virus")))
    with pytest.raises(ModelFileError, match="expected a model for normal, virus, bacteria, found one for normal"):
        load_model(path, labels=LabelSet(("normal", "virus", "bacteria")))


def test_an_architecture_that_does_not_fit_the_weights_is_one_clear_line(path, monkeypatch):
    from hilum.models import modelfile

    rewrite(path, change_header=lambda header: header["architecture"].update(name="cnn-medium"))
    monkeypatch.setattr(modelfile, "_digest", lambda content, tensors: read_header(path).sha256)
    with pytest.raises(ModelFileError, match="cnn-medium") as error:
        load_model(path)
    rewrite(path, change_header=lambda header: header["architecture"].update(name="cnn-small"))
    with pytest.raises(ModelFileError, match="that this version can build") as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_a_single_output_comes_back(tmp_path):
    model = tiny(num_classes=2, output="sigmoid")
    save_model(tmp_path / "model.safetensors", model, **{**ABOUT, "labels": ["normal", "covid"]})
    again, header = load_model(tmp_path / "model.safetensors")
    image = torch.randn(2, 1, 64, 64)
    assert torch.equal(again(image), model.eval()(image)) and again.architecture == model.architecture
    assert header.architecture["output"] == "sigmoid"


def test_a_file_from_before_there_were_single_outputs_still_loads(model, tmp_path, monkeypatch):
    plain = {name: value for name, value in model.architecture.to_json().items() if name != "output"}
    monkeypatch.setattr(type(model.architecture), "to_json", lambda architecture: plain)
    save_model(tmp_path / "model.safetensors", model, **ABOUT)
    monkeypatch.undo()
    assert "output" not in read_header(tmp_path / "model.safetensors").architecture
    assert load_model(tmp_path / "model.safetensors")[0].architecture == model.architecture
