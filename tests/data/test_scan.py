import cv2
import numpy as np
from PIL import Image

from hilum.data.scan import scan_images

PICTURE = np.random.default_rng(0).integers(0, 255, (300, 260)).astype(np.uint8)


def test_the_same_pixels_have_one_digest_whatever_the_file_says(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), PICTURE)
    Image.fromarray(PICTURE).save(tmp_path / "b.png", dpi=(72, 72), compress_level=9)
    cv2.imwrite(str(tmp_path / "c.png"), PICTURE[:, ::-1])
    facts = scan_images([tmp_path / name for name in ("a.png", "b.png", "c.png")])
    assert facts["sha256"].nunique() == 3
    assert facts["pixels_sha256"][0] == facts["pixels_sha256"][1] != facts["pixels_sha256"][2]
    assert facts["metadata"].tolist() == ["", "dpi", ""]


def test_memory_that_runs_out_has_a_code_of_its_own(tmp_path, monkeypatch):
    import hilum.data.scan as scan

    def hungry(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(scan, "read_image", hungry)
    (row,) = scan.scan_images([tmp_path / "x.png"]).to_dict("records")
    assert (row["code"], row["reason"]) == ("memory", "x.png: no memory left to prepare the picture")
