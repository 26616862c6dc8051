"""The sandbox, with children that hang, crash and eat memory on purpose."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hilum.errors import ImageRejected
from hilum.images import Limits, Sandbox, read_image
from hilum.images import child as child_module

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and rlimits of POSIX")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def badly_behaved(monkeypatch):
    """`badly_behaved(code)`: children run the code in place of decoding a file that begins with `BAD!`."""

    def install(code: str) -> None:
        bad = "\n    ".join(code.splitlines())
        script = f"""
import hilum.images.read as read
honest = read.decode
def decode(data, request):
    if not data.startswith(b"BAD!"):
        return honest(data, request)
    {bad}
read.decode = decode
from hilum.images.worker import main
main()
"""
        monkeypatch.setattr(child_module, "_CODE", script)

    return install


def _code(sandbox: Sandbox, data: bytes, **options) -> str:
    with pytest.raises(ImageRejected) as caught:
        sandbox.read(data, **options)
    return caught.value.code


def test_gives_what_read_image_gives(sandbox, chest, ramp, saved, dicom_of, tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(saved(chest, "JPEG"))
    sources = [path, saved(ramp, "PNG"), dicom_of(chest, PatientAge="034Y"), saved(chest > 100, "PNG")]
    for source in sources:
        here, there = read_image(source, shorter_side=48), sandbox.read(source, shorter_side=48)
        np.testing.assert_array_equal(there.pixels, here.pixels)
        assert there.pixels.dtype == here.pixels.dtype
        assert there.pixels.flags.writeable
        assert (there.acquisition, there.warnings, there.sha256) == (here.acquisition, here.warnings, here.sha256)


def test_rejections_are_those_of_read_image(sandbox, chest, saved, tmp_path):
    sources = [tmp_path / "missing.png", b"", b"just text", saved(chest, "PNG")[:-20], saved(chest[:20], "PNG")]
    for source in sources:
        with pytest.raises(ImageRejected) as here:
            read_image(source, name="x")
        with pytest.raises(ImageRejected) as there:
            sandbox.read(source, name="x")
        assert (str(there.value), there.value.code) == (str(here.value), here.value.code)
    assert _code(sandbox, saved(chest, "PNG"), limits=Limits(pixels=100)) == "too-many-pixels"
    assert _code(sandbox, saved(chest, "PNG"), frame=3) == "no-such-frame"


@pytest.mark.parametrize(
    ("misdeed", "code"),
    [
        ("while True: pass", "timeout"),
        ("import time; time.sleep(60)", "timeout"),
        ("import os; os._exit(3)", "crash"),
        ("import os; os.abort()", "crash"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory"),
        ("import ctypes; ctypes.string_at(8)", "crash"),
        ("raise SystemExit", "crash"),
        ("import os; os.write(3, b'x' * 1000); os._exit(0)", "crash"),
        ("import os\nfor n in range(3, 9):\n    try: os.write(n, b'x' * 64)\n    except OSError: pass", "crash"),
    ],
)
@POSIX
def test_children_that_misbehave_are_replaced(badly_behaved, chest, saved, misdeed, code):
    badly_behaved(misdeed)
    with Sandbox(limits=Limits(seconds=1)) as sandbox:
        good = saved(chest, "PNG")
        np.testing.assert_array_equal(sandbox.read(good).pixels, chest)
        start = time.monotonic()
        assert _code(sandbox, b"BAD!") == code
        assert time.monotonic() - start < 5
        np.testing.assert_array_equal(sandbox.read(good).pixels, chest)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_memory_is_bounded(badly_behaved, chest, saved):
    badly_behaved("import numpy\nkept = [numpy.ones(2 * 10**7) for _ in range(100)]")
    with Sandbox() as sandbox:
        assert _code(sandbox, b"BAD!", limits=Limits(memory_bytes=600_000_000)) == "memory"
        np.testing.assert_array_equal(sandbox.read(saved(chest, "PNG")).pixels, chest)


@POSIX
def test_a_child_that_is_killed_while_idle_costs_no_file(chest, saved):
    good = saved(chest, "PNG")
    with Sandbox() as sandbox:
        sandbox.read(good)
        (child,) = sandbox._children
        os.kill(child.pid, signal.SIGKILL)
        child._process.wait()
        np.testing.assert_array_equal(sandbox.read(good).pixels, chest)


def test_many_threads_share_a_pool(chest, saved):
    pictures = [np.clip(chest.astype(int) + shift, 0, 255).astype(np.uint8) for shift in range(24)]
    with Sandbox(workers=2) as sandbox, ThreadPoolExecutor(6) as threads:
        read = list(threads.map(sandbox.read, [saved(picture, "PNG") for picture in pictures]))
        assert len(sandbox._children) <= 2
    for image, picture in zip(read, pictures, strict=True):
        np.testing.assert_array_equal(image.pixels, picture)


def test_nothing_is_left_behind(chest, saved):
    before = threading.active_count()
    with Sandbox(workers=2) as sandbox:
        sandbox.read(saved(chest, "PNG"))
        children = list(sandbox._children)
    assert all(child._process.returncode is not None for child in children)
    assert threading.active_count() == before
    assert _code(sandbox, saved(chest, "PNG")) == "crash"


def test_the_child_sees_no_secrets_and_writes_no_files(badly_behaved, monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_TOKEN", "secret")
    badly_behaved(
        "import os\nfrom hilum.images.codes import rejection\n"
        f"try: open({str(tmp_path / 'x')!r}, 'wb', buffering=0).write(b'x')\n"
        "except OSError: written = 'nothing'\nelse: written = 'something'\n"
        "raise rejection('corrupt', '', f\"{os.environ.get('SOME_TOKEN')} {written}\")"
    )
    with Sandbox() as sandbox, pytest.raises(ImageRejected, match="found None nothing"):
        sandbox.read(b"BAD!")


def test_modules_beside_the_data_are_not_picked_up(chest, saved, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit")
    (tmp_path / "cv2.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    with Sandbox() as sandbox:
        np.testing.assert_array_equal(sandbox.read(saved(chest, "PNG")).pixels, chest)


def test_the_child_needs_no_heavy_package():
    script = (
        "import sys, hilum.images.worker as worker; worker._load_decoders(); "
        "print(sorted({'torch', 'pandas', 'scipy', 'matplotlib', 'multiprocessing.pool'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out.strip() == "[]"
