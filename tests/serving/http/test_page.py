"""The page in a real Chromium: upload, answer, heat map, refusal, a hostile file name, keyboard, no network."""

import json
import os
import select
import shutil
import subprocess
import time
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the packages of the extra serve")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--window-size=1200,900",
)

HOSTILE = "<img src=x onerror=document.title='pwned'>.png"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: no browser found on this machine")


@pytest.fixture(scope="module")
def files(tmp_path_factory, pictures):
    """A drawn X-ray, one under a hostile name, a text, and a DICOM file that says it is a hand."""
    folder = tmp_path_factory.mktemp("files")
    named = {"plain": "a.png", "hostile": HOSTILE, "text": "notes.txt"}
    paths = {name: folder / file for name, file in named.items()}
    wide = cv2.resize(cv2.imread(str(pictures / "00.png"), 0), (96, 160))
    cv2.imwrite(str(paths["plain"]), wide)
    paths["hostile"].write_bytes((pictures / "01.png").read_bytes())
    paths["text"].write_text("no picture")
    return paths


@pytest.fixture(scope="module")
def page(module_server, tmp_path_factory):
    """A browser, and the address of the page."""
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.address = module_server
        yield browser


@pytest.fixture
def fresh(page):
    """The page, newly opened and with its model described."""
    page.events.clear()
    page.open(page.address)
    page.wait("document.querySelectorAll('#limits li').length > 0")
    yield page
    assert page.complaints() == []
    assert page.hosts() == {urlsplit(page.address).netloc}


def text(page, selector):
    return page.run(f"document.querySelector({json.dumps(selector)}).innerText")


def pixels(page):
    """The mean colour of what the viewer shows, after it was drawn."""
    script = """(() => { const view = document.querySelector('#view');
      const {data} = view.getContext('2d').getImageData(0, 0, view.width, view.height);
      const sums = [0, 0, 0];
      for (let at = 0; at < data.length; at += 4) for (let c = 0; c < 3; c++) sums[c] += data[at + c];
      return sums.map(sum => sum / (data.length / 4)); })()"""
    return np.array(page.run(script))


def around(page, right, down):
    """The mean grey of 9 x 9 pixels of the viewer around a place, in shares of its width and height."""
    script = """(() => { const view = document.querySelector('#view');
      const [x, y] = [Math.round(%f * view.width) - 4, Math.round(%f * view.height) - 4];
      const {data} = view.getContext('2d').getImageData(x, y, 9, 9);
      return data.reduce((sum, value, at) => at %% 4 ? sum : sum + value, 0) / 81; })()"""
    return page.run(script % (right, down))


def slide(page, percent):
    page.run(
        f"(o => {{ o.value = {percent}; o.dispatchEvent(new Event('input')) }})(document.querySelector('#opacity'))"
    )


def answered(page, *paths):
    page.choose_files("#files", *paths)
    page.wait(f"document.querySelectorAll('#images button').length >= {len(paths)}")
    page.wait("[...document.querySelectorAll('#images small')].every(e => !/waits|read/.test(e.textContent))")
    page.wait("document.querySelector('#status').textContent.length > 0")


def test_the_page_says_at_once_what_it_is_not_for_and_what_the_model_is(fresh):
    assert "Not for patients" in text(fresh, ".not-for")
    assert "It knows normal, bacterial, viral and nothing else" in text(fresh, "#limits")
    assert "Not known here" in text(fresh, "#figures-words")


def test_an_upload_is_answered_with_probabilities_and_a_heat_map(fresh, files, predictors):
    answered(fresh, files["plain"])
    said = predictors["m"].predict(files["plain"])
    first, second, _ = sorted(said.probs, key=said.probs.get, reverse=True)
    is_close = said.probs[first] - said.probs[second] < 0.1
    assert text(fresh, "#verdict").startswith(f"Undecided: {first}" if is_close else first)
    shown = text(fresh, "#probs")
    for label, prob in said.probs.items():
        assert label in shown and f"{round(100 * prob)} %" in shown
    fresh.wait("!document.querySelector('#heat-controls').hidden")
    fresh.wait("document.querySelector('#heat-words').textContent.includes('gradcam')")


def test_the_opacity_slider_changes_the_heat_map_and_nothing_else_is_tinted(fresh, files):
    answered(fresh, files["plain"])
    fresh.wait("!document.querySelector('#heat-controls').hidden")
    labels = fresh.run("[...document.querySelector('#target').options].map(o => o.value)")
    for label in labels:  # a map may be empty for one class
        fresh.run(
            f"(t => {{ t.value = {json.dumps(label)}; t.dispatchEvent(new Event('change')) }})"
            "(document.querySelector('#target'))"
        )
        fresh.wait(f"document.querySelector('#heat-words').textContent.includes({json.dumps(label)})")
        if "Nothing in this picture" not in text(fresh, "#heat-words"):
            break
    slide(fresh, 100)
    strong = pixels(fresh)
    slide(fresh, 0)
    none = pixels(fresh)
    assert text(fresh, "#opacity-value") == "0 %"
    assert strong[0] - strong[2] > 0.1, "an orange map makes the picture redder than blue"
    assert np.ptp(none) < 0.01, "without the map the X-ray is grey"


def test_window_level_zoom_and_pan_by_keyboard(fresh, files):
    answered(fresh, files["plain"])
    fresh.wait("!document.querySelector('#heat-controls').hidden")
    fresh.run("document.querySelector('#view').focus()")
    slide(fresh, 0)
    before = pixels(fresh)
    for _ in range(5):
        fresh.press("]", "BracketRight", "]")
    assert text(fresh, "#level-value") == "60 %"
    assert pixels(fresh).sum() < before.sum(), "a higher level is darker"
    fresh.press("i", "KeyI", "i")
    assert fresh.run("document.querySelector('#invert').getAttribute('aria-pressed')") == "true"
    fresh.press("0", "Digit0", "0")
    assert text(fresh, "#level-value") == "50 %"
    np.testing.assert_allclose(pixels(fresh), before, atol=0.01)
    for _ in range(4):
        fresh.press("+", "Equal", "+")
    assert not np.allclose(pixels(fresh), before, atol=1)
    places = [(0.3, 0.3), (0.5, 0.6), (0.7, 0.4)]
    zoomed = [around(fresh, *place) for place in places]
    for _ in range(3):
        fresh.press("ArrowLeft")
    assert not np.allclose([around(fresh, *place) for place in places], zoomed, atol=1)


def test_a_file_that_is_no_picture_is_refused_with_its_reason(fresh, files):
    answered(fresh, files["text"])
    assert "cannot be read as an X-ray" in text(fresh, "#verdict")
    assert "found text" in text(fresh, "#reason")
    assert fresh.run("document.querySelector('.viewer').hidden && document.querySelector('#answer').hidden")


def test_a_stranger_is_refused_until_one_insists(fresh, files, strange_hand):
    answered(fresh, strange_hand)
    assert text(fresh, "#verdict").startswith("Refused")
    assert fresh.run("document.querySelector('#answer').hidden")
    fresh.run("document.querySelector('#force').click()")
    fresh.wait("!document.querySelector('#answer').hidden")
    assert "Forced:" in text(fresh, "#notes")


def test_several_images_in_a_row_and_a_dropped_one(fresh, files):
    answered(fresh, files["plain"], files["text"])
    fresh.run(
        "(async () => { const data = new DataTransfer();"
        "const bytes = await new Promise(done => document.querySelector('#view').toBlob(done));"
        "data.items.add(new File([bytes], 'dropped.png'));"
        "document.querySelector('#drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true})) })()"
    )
    fresh.wait("document.querySelectorAll('#images button').length === 3")
    fresh.wait("[...document.querySelectorAll('#images small')].every(e => !/waits|read/.test(e.textContent))")
    first = text(fresh, "#verdict")
    fresh.run("document.querySelectorAll('#images button')[1].click()")
    assert text(fresh, "#verdict") != first
    assert fresh.run("document.querySelector('#images [aria-current=true] bdi').textContent") == "notes.txt"
    fresh.run("document.querySelectorAll('#images button')[0].click()")
    fresh.wait(f"document.querySelector('#verdict').innerText === {json.dumps(first)}")


def test_a_hostile_file_name_is_text(fresh, files):
    title = fresh.run("document.title")
    answered(fresh, files["hostile"])
    assert text(fresh, "#images bdi") == HOSTILE
    assert fresh.run("document.title") == title and fresh.run("document.querySelectorAll('img').length") == 0


def test_a_screen_reader_is_told_and_every_control_has_a_name(fresh, files):
    answered(fresh, files["plain"])
    fresh.wait("!document.querySelector('#heat-controls').hidden")
    tree = fresh.call("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "slider", "combobox", "textbox", "link", "image", "checkbox"}
    found = [node for node in tree if not node.get("ignored") and node["role"]["value"] in controls]
    assert len(found) >= 8
    assert [node["role"]["value"] for node in found if not node.get("name", {}).get("value")] == []
    assert "a.png: " in text(fresh, "#status")


def test_close_classes_are_named_together_and_thresholds_in_words(fresh):
    def words(call):
        return fresh.run(f"import('./words.js').then(words => words.{call})")

    assert words("verdict({probs: {a: 0.45, b: 0.48, c: 0.07}})") == "Undecided: b 48 %, a 45 %"
    assert words("verdict({probs: {a: 0.3, b: 0.7}})") == "b, 70 %"
    points = [{"point": "youden", "label": label, "threshold": 0.36, "called": label == "b"} for label in "ab"]
    said = words(f"decisions({{decisions: {json.dumps(points)}}})")
    assert said.endswith("Reached: b (from 36 %). Not reached: a (from 36 %).")
    assert words("decisions({decisions: []})") == ""


def test_marks_on_the_bars_stand_at_the_thresholds(fresh, files):
    answered(fresh, files["plain"])
    marks = fresh.run("[...document.querySelectorAll('#probs tr')].map(row => row.querySelector('b')?.style.left)")
    assert marks == [None, "90%", "20%"]  # those of the model file


def test_the_nearest_training_cases_are_shown_from_an_index(page, serve, index_of, predictors, xrays, tmp_path, files):
    path = index_of(predictors["m"], xrays, tmp_path)
    page.events.clear()
    page.open(serve("--workers", "1", "--index", str(path)).address)
    page.wait("document.querySelectorAll('#limits li').length > 0")
    answered(page, tmp_path / "secret-4.png")
    page.wait("!document.querySelector('#cases').hidden && document.querySelectorAll('#case-list canvas').length === 5")
    assert text(page, "#case-list li").split() == [predictors["m"].labels[1], "distance", "0"]
    assert "This very file was used in training" in text(page, "#cases-words")
    assert "secret" not in text(page, "#cases")
    seen = page.run("(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
                    "(document.querySelector('#case-list canvas'))")  # fmt: skip
    case = cv2.imread(str(tmp_path / "secret-4.png"), 0)
    np.testing.assert_array_equal(np.array(seen, np.uint8).reshape(*case.shape, 4)[..., 0], case)
    answered(page, files["text"])
    page.run("[...document.querySelectorAll('#images button')].at(-1).click()")
    page.wait("document.querySelector('#cases').hidden")
    assert page.complaints() == []


def test_wheel_and_drag_keep_what_is_under_the_pointer(fresh, tmp_path):
    across, down = np.meshgrid(np.linspace(0, 100, 120), np.linspace(0, 120, 120))
    cv2.imwrite(str(tmp_path / "ramp.png"), (20 + across + down).astype(np.uint8))
    answered(fresh, tmp_path / "ramp.png")
    fresh.wait("!document.querySelector('#heat-controls').hidden")
    slide(fresh, 0)
    fresh.run("document.querySelector('#view').scrollIntoView({behavior: 'instant'})")
    box = fresh.run(
        "(b => [b.left, b.top, b.width, b.height])(document.querySelector('#view').getBoundingClientRect())"
    )
    x, y = box[0] + 0.4 * box[2], box[1] + 0.4 * box[3]
    before, far = around(fresh, 0.4, 0.4), around(fresh, 0.8, 0.8)
    for _ in range(4):
        fresh.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-120)
    fresh.wait("document.querySelector('#view').style.touchAction === 'none'")
    zoomed = around(fresh, 0.4, 0.4)
    assert abs(zoomed - before) < 3 and abs(around(fresh, 0.8, 0.8) - far) > 20
    mouse = {"button": "left", "buttons": 1}
    fresh.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, clickCount=1, **mouse)
    fresh.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + 0.2 * box[2], y=y + 0.1 * box[3], **mouse)
    fresh.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, clickCount=1, button="left", buttons=0)
    assert abs(around(fresh, 0.6, 0.5) - zoomed) < 2


def test_two_fingers_zoom_and_one_scrolls_the_page_until_then(fresh, files):
    answered(fresh, files["plain"])
    fresh.wait("!document.querySelector('#heat-controls').hidden")
    slide(fresh, 0)
    fresh.run("document.querySelector('#view').scrollIntoView({behavior: 'instant'})")
    touch = "document.querySelector('#view').style.touchAction"
    assert fresh.run(touch) == "pan-y"
    before = pixels(fresh)
    x, y = fresh.run("(b => [b.left + b.width / 2, b.top + b.height / 2])"
                     "(document.querySelector('#view').getBoundingClientRect())")  # fmt: skip
    for kind, apart in (("touchStart", 40), ("touchMove", 60), ("touchMove", 120)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        fresh.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    fresh.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    fresh.wait(f"{touch} === 'none'")
    assert not np.allclose(pixels(fresh), before)


def test_every_control_is_reached_by_the_tabulator(fresh, files):
    answered(fresh, files["plain"])
    fresh.wait("!document.querySelector('#heat-controls').hidden")
    fresh.run("document.body.focus()")
    reached = []
    for _ in range(20):
        fresh.press("Tab", number=9)
        reached.append(fresh.run("document.activeElement.id || document.activeElement.tagName"))
    wanted = {"files", "BUTTON", "view", "opacity", "target", "level", "width", "closer", "farther", "invert", "reset"}
    assert wanted <= set(reached)


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_sticks_out(fresh, files, width):
    fresh.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
    answered(fresh, files["plain"], files["hostile"])
    assert fresh.run("document.documentElement.scrollWidth") <= width
    fresh.call("Emulation.clearDeviceMetricsOverride")


class Browser:
    """One page of a headless Chromium; a context manager.

    Attributes:
        events: what the page and the browser said: console, exceptions, log entries, requests.
    """

    def __init__(self, profile):
        self.profile, self.events, self.count, self.buffer = profile, [], 0, b""

    def __enter__(self):
        theirs_in, self.write = os.pipe()
        self.read, theirs_out = os.pipe()
        # The browser reads commands from descriptor 3 and writes to 4; a shell puts them there.
        script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", script, CHROMIUM, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(
            command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL, start_new_session=True
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.session = None
        (target,) = [each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        os.close(self.write)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read)

    def call(self, method, **parameters):
        """Sends a command and waits for its answer."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self._receive(deadline)
            if found.get("id") == self.count:
                assert "error" not in found, found["error"]
                return found["result"]
            self.events.append(found)
        raise TimeoutError(method)

    def _receive(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], max(0.1, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser is silent")
            data = os.read(self.read, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def run(self, expression):
        """The value of a JavaScript expression; promises are awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression, seconds=30):
        """Until an expression is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.run(expression):
                return
            time.sleep(0.05)
        raise TimeoutError(expression)

    def choose_files(self, selector, *paths):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def press(self, key, code=None, text=None, number=0):
        common = {"key": key, "code": code or key, "windowsVirtualKeyCode": number, **({"text": text} if text else {})}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def complaints(self):
        """Exceptions of the page, and what the browser refused."""
        said = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                said.append(event["params"]["exceptionDetails"])
            elif event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                said.append(event["params"]["entry"])
        return said

    def hosts(self):
        """Hosts that the page asked for anything."""
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return {urlsplit(url).netloc for url in asked if not url.startswith("data:")}
