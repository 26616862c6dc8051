"""Exports say what the model file says, carry what it carries, and notice when they are damaged."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hilum.errors import DataError, ModelFileError, UsageError
from hilum.inference.export import quantise
from hilum.inference.exported import read_exported, with_metadata
from hilum.inference.graph import to_onnx
from hilum.inference.probe import probe_canvases
from hilum.models import create_model, read_header, save_model
from hilum.serving.predictor import Picture, Predictor
from hilum.transforms import Preprocessing
from hilum.workflow.export import ExportOptions, export_model

PREPROCESSING = Preprocessing(image_size=64, channels=3)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(
        path,
        create_model("cnn-tiny", num_classes=2, image_size=64, seed=5),
        labels=("normal", "ill"),
        preprocessing=PREPROCESSING.to_json(),
        recipe={"name": "tiny"},
        fingerprint="abc",
        extras={"temperature": 2.5, "tta": ["plain"], "operating_points": []},
    )
    return path


@pytest.fixture(scope="module")
def canvases():
    return np.random.default_rng(2).integers(0, 256, (11, 64, 64), dtype=np.uint8)


def probabilities(predictor, canvases):
    results = predictor.predict_pictures([Picture("", each) for each in canvases])
    return np.array([list(each.probs.values()) for each in results])


@pytest.mark.parametrize(("kind", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_an_export_gives_the_probabilities_of_the_model_file(model_file, canvases, kind, suffix, tmp_path):
    result = export_model(model_file, ExportOptions(format=kind, out=tmp_path / f"e{suffix}"))
    assert result.exported.parity["probability"] <= 1e-3 and result.exported.parity["images"] == 16
    ours, theirs = Predictor.load(result.path), Predictor.load(model_file)
    assert ours.model is None and ours.header == theirs.header
    np.testing.assert_allclose(probabilities(ours, canvases), probabilities(theirs, canvases), atol=1e-5)
    one_by_one = np.concatenate([probabilities(ours, canvases[i : i + 1]) for i in range(len(canvases))])
    np.testing.assert_allclose(one_by_one, probabilities(ours, canvases), atol=1e-6)
    assert result.exported.source["sha256"] == read_header(model_file).sha256


def test_onnx_is_a_valid_file_with_any_number_of_images(model_file, tmp_path):
    onnx = pytest.importorskip("onnx")
    path = export_model(model_file, ExportOptions(out=tmp_path / "e.onnx")).path
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert [each.name for each in model.graph.output] == ["logits", "embedding"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    (entry,) = [each for each in model.metadata_props if each.key == "hilum"]
    about = json.loads(entry.value)
    assert about["header"]["labels"] == ["normal", "ill"] and about["header"]["extras"]["temperature"] == 2.5
    assert about["header"]["preprocessing"] == PREPROCESSING.to_json()


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_damaged_export_is_noticed(model_file, kind, tmp_path):
    result = export_model(
        model_file, ExportOptions(format=kind, out=tmp_path / f"e.{'onnx' if kind == 'onnx' else 'xml'}")
    )
    victim = result.files[-1]
    data = bytearray(victim.read_bytes())
    data[len(data) // 3] ^= 0xFF
    victim.write_bytes(data)
    with pytest.raises(ModelFileError):
        read_exported(result.path)
    victim.write_bytes(b"")
    with pytest.raises(ModelFileError):
        read_exported(result.path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 50, b"<net></net>", b'<?xml version="1.0"?><!DOCTYPE x><net/>', b"\x08\x07"]
)
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_other_files_are_no_exports(tmp_path, content, suffix):
    (tmp_path / f"x{suffix}").write_bytes(content)
    with pytest.raises(ModelFileError, match="written by hilum export"):
        read_exported(tmp_path / f"x{suffix}")
    with pytest.raises(ModelFileError, match="expected a file"):
        read_exported(tmp_path / f"none{suffix}")


def test_metadata_of_any_length_survive(tmp_path):
    onnx = pytest.importorskip("onnx")
    for length in (1, 127, 128, 16383, 16384, 300_000):
        parsed = onnx.ModelProto.FromString(with_metadata(b"", "x" * length))
        assert parsed.metadata_props[0].value == "x" * length


def test_int8_is_calibrated_and_says_so(model_file, canvases, tmp_path):
    import cv2

    for number, canvas in enumerate(np.repeat(canvases, 2, axis=0)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), canvas)
    result = export_model(model_file, ExportOptions(int8=True, data=tmp_path, out=tmp_path / "e.onnx", images=22))
    assert result.exported.precision == "int8" and result.exported.calibration["images"] == 22
    exact = probabilities(Predictor.load(model_file), canvases)
    found = probabilities(Predictor.load(result.path), canvases)
    assert 0 < np.abs(found - exact).max() < 0.1


@pytest.mark.parametrize(("name", "attends"), [("vit-small-scratch", True), ("cnn-tiny", False)])
def test_products_of_attention_take_int8_in_and_give_float_out(name, attends, canvases):
    """What softmax, norms and sums of a transformer take in stays float32; convolutions hand eight bits on."""
    onnx = pytest.importorskip("onnx")
    model = create_model(name, num_classes=2, in_channels=3, image_size=64, seed=1).eval()
    nodes = onnx.ModelProto.FromString(quantise(to_onnx(model, PREPROCESSING), canvases)).graph.node
    maker = {output: node.op_type for node in nodes for output in node.output}
    rounded = {maker.get(node.input[0], "input") for node in nodes if node.op_type == "QuantizeLinear"}
    taken = {maker.get(each) for node in nodes if node.op_type in ("MatMul", "Conv") for each in node.input}
    assert "DequantizeLinear" in taken
    assert rounded.isdisjoint({"MatMul", "Gemm", "Conv", "Relu"}) == attends, rounded


def test_what_cannot_be_done_is_one_clear_line(model_file, tmp_path):
    with pytest.raises(UsageError, match="training pictures to calibrate on"):
        export_model(model_file, ExportOptions(int8=True, out=tmp_path / "e.onnx"))
    with pytest.raises(UsageError, match="onnx, openvino"):
        export_model(model_file, ExportOptions(format="tflite"))
    with pytest.raises(DataError, match="expected a folder"):
        export_model(model_file, ExportOptions(out=tmp_path / "none" / "e.onnx"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="at least 20 usable pictures"):
        export_model(model_file, ExportOptions(data=tmp_path / "empty"))


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_the_exported_path_imports_no_torch(model_file, kind, tmp_path):
    path = export_model(
        model_file, ExportOptions(format=kind, out=tmp_path / f"e.{'onnx' if kind == 'onnx' else 'xml'}")
    ).path
    code = (
        "import sys, numpy, hilum\n"
        f"model = hilum.load({str(path)!r})\n"
        "print(model.predict(numpy.tile(numpy.arange(64, dtype='uint8'), (64, 1))).label)\n"
        "heavy = {'torch', 'pandas', 'timm', 'lightning', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() in ("normal", "ill")


def test_an_engine_that_computes_something_else_is_not_used(model_file, tmp_path, monkeypatch):
    path = export_model(model_file, ExportOptions(out=tmp_path / "e.onnx")).path
    monkeypatch.setattr("hilum.inference.probe.probe_canvases", lambda side: 255 - probe_canvases(side))
    with pytest.raises(ModelFileError, match=r"an engine that runs it.*what it gave when written"):
        Predictor.load(path)
