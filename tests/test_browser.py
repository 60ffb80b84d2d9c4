"""The page in a real browser: drags, keys, links, small and large windows, and nothing asked for outside the page."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from direction_finder.curves import Curve
from direction_finder.directions import Directions
from direction_finder.files import write_json
from direction_finder.reports import write_gallery, write_page
from tests.browser import browser, missing, tab, until
from tests.conftest import NUM_CLASSES

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
AXE = Path(os.environ.get("AXE", Path(__file__).parent.parent / ".venv/node_modules/axe-core/axe.min.js"))
NAMES = ("x", "<script>alert('x')</script>", 'a "quoted" name', "كلب أحمر مع ذيل", "x" * 200, None)
LEAST = {"factors": ["size", "<b>hue</b>"], "effects": [[0.1 * i, 0.5] for i in range(6)], "strongest": list(range(6)),
         "names": ["hue"] * 6, "shares": [["hue", 0.9]] * 6,
         "scores": {"overall": {"value": 0.5, "low": 0.4, "high": 0.6}}}  # fmt: skip
MEASURED = {"points": 8, "seed": 0, "at": ["image"], "epsilon": 0.1}


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def run(tmp_path_factory, dcgan_file) -> Path:
    """A run with odd names, usable ranges, a curve, a ranking, factors and a page; its class has 300 letters."""
    folder = tmp_path_factory.mktemp("outputs") / "run"
    folder.mkdir()
    spec = {"spec": f"dcgan:{dcgan_file}", "num_classes": NUM_CLASSES, "truncation": None, "weights_sha256": None}
    write_json(folder / "config.json", {
        "direction_finder": "0.2", "torch": "2", "class": "w" * 300, "method": "random", "settings": {},
        "generator": spec,
    })  # fmt: skip
    curve = Curve(torch.eye(6)[5], torch.tensor([0.5, -0.5]), torch.eye(6)[:2])
    found = Directions(torch.eye(6), "random", names=NAMES, ranges=(2.0,) * 5 + (None,), curvature=MEASURED,
                       curves=(*[None] * 5, curve))  # fmt: skip
    found.save(folder / "directions.safetensors")
    signal = {"values": [1.0, 2.0, 0.1, 3.0, 0.2, 0.3], "chance": 0.5}
    write_json(folder / "rank.json", {
        "directions_sha256": found.straight.sha256, "short_list": list(range(6)), "signals": {"activeness": signal}
    })  # fmt: skip
    write_json(folder / "factors.json", LEAST)
    notes: list[str] = []
    write_page(folder, samples=4, on_note=notes.append)
    assert [note for note in notes if "assumed" not in note] == []
    return folder


@pytest.fixture
def page(chromium, run):
    """The page in a window of a desktop; whatever a test does, there is no error, and nothing asked for outside."""
    with tab(chromium, run / "index.html", viewport={"width": 1280, "height": 900}) as opened:
        until(opened, "performance.getEntriesByName('first frame').length")
        yield opened
        assert opened.errors == [] and opened.outside == []


def at(page, label: str = "direction x") -> float:
    return float(page.get_by_role("slider", name=label, exact=True).get_attribute("aria-valuenow"))


def shown(page, place: int = 0) -> str:
    """The frame that a strip shows, as a hash."""
    code = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).join()"
    return page.locator(".frame").nth(place).evaluate(code)


def test_a_drag_moves_along_the_direction(page):
    before, slider = shown(page), page.get_by_role("slider", name="direction x", exact=True)
    track = slider.locator(".track").bounding_box()
    x, y = track["x"] + track["width"] / 2, slider.bounding_box()["y"] + 30
    page.mouse.move(x, y)
    page.mouse.down()
    assert at(page) == 0
    page.mouse.move(x + track["width"] / 6 + 1, y, steps=5)  # a third of the way from the middle to the end, which is 3
    assert at(page) == 1 and shown(page) != before
    page.mouse.move(x + 2000, y)
    page.mouse.up()
    assert at(page) == 3 and slider.get_attribute("aria-valuetext") == "+3, beyond the usable range"
    page.mouse.move(x, y)
    assert at(page) == 3
    assert page.evaluate("location.hash") == "#direction=x&sample=0&at=3"


def test_a_finger_drags_sideways_and_scrolls_up(chromium, run):
    with tab(chromium, run / "index.html", viewport={"width": 390, "height": 844}, has_touch=True) as page:
        slider = page.get_by_role("slider", name="direction x", exact=True)
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        session = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            session.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
            )

        x, y = box["x"] + box["width"] * 0.25, box["y"] + 200
        touch("touchStart", (x, y))
        for step in range(1, 6):
            touch("touchMove", (x, y - 30 * step))
        touch("touchEnd")
        page.wait_for_timeout(100)
        assert at(page) == 0 and page.evaluate("scrollY") > 0
        box = slider.bounding_box()
        y = box["y"] + 40
        touch("touchStart", (x, y))
        for step in range(1, 6):
            touch("touchMove", (x + 20 * step, y))
        page.wait_for_timeout(100)
        moved = at(page)
        touch("touchEnd")
        assert moved != 0 and page.errors == []


def test_keys_move_it(page):
    page.get_by_role("slider", name="direction x", exact=True).focus()
    for key, expected in (("ArrowRight", 0.2), ("ArrowUp", 0.4), ("ArrowLeft", 0.2), ("PageUp", 1.2), ("Home", -3),
                          ("ArrowDown", -3), ("End", 3), ("PageDown", 2), ("0", 0)):  # fmt: skip
        page.keyboard.press(key)
        assert at(page) == expected, key
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.localName") == "summary"


def test_a_link_opens_a_direction_a_sample_and_a_position(chromium, run):
    for label, key in ((NAMES[3], "%D9%83%D9%84%D8%A8+%D8%A3%D8%AD%D9%85%D8%B1+%D9%85%D8%B9+%D8%B0%D9%8A%D9%84"),
                       ("5", "5"), (NAMES[1], "%3Cscript%3Ealert('x')%3C/script%3E")):  # fmt: skip
        with tab(chromium, run / "index.html", f"#direction={key}&sample=3&at=-1.55") as page:
            assert at(page, f"direction {label}") == -1.6
            assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"direction {label}"
            assert page.get_by_role("radio", name="sample 3").is_checked()
            assert page.get_by_role("slider", name=f"direction {label}", exact=True).is_visible()
            page.keyboard.press("ArrowRight")
            assert page.evaluate("new URLSearchParams(location.hash.slice(1)).get('direction')") == label
            assert page.errors == []


def settled(page, place: int, shows: Callable[[str], bool]) -> str:
    """Wait until a strip shows a frame for which `shows` is true, and return it."""
    for _ in range(200):
        if shows(frame := shown(page, place)):
            return frame
        page.wait_for_timeout(50)
    raise AssertionError("the frame does not come")


def test_a_curved_direction_can_be_followed_straight(chromium, run, page):
    switch, slider = page.get_by_role("switch"), page.get_by_role("slider", name="direction 5")
    assert switch.count() == 1 and switch.get_attribute("aria-label") == "Straight line, direction 5"
    middle = shown(page, 5)
    slider.press("End")
    curved = settled(page, 5, lambda frame: frame != middle)
    switch.press("Space")
    assert switch.is_checked() and slider.get_attribute("aria-valuetext") == "+3, on a straight line"
    assert page.evaluate("location.hash") == "#direction=5&sample=0&at=3&path=straight"
    straight = settled(page, 5, lambda frame: frame != curved)
    with tab(chromium, run / "index.html", "#direction=5&sample=0&at=3&path=straight") as other:
        settled(other, 5, lambda frame: frame == straight)
        assert other.get_by_role("switch").is_checked()
        other.evaluate("location.hash = '#direction=5&at=3'")
        settled(other, 5, lambda frame: frame == curved)
        assert not other.get_by_role("switch").is_checked() and other.errors == []
    switch.press("Space")
    settled(page, 5, lambda frame: frame == curved)
    assert slider.get_attribute("aria-valuetext") == "+3"


@pytest.mark.parametrize(
    "fragment", ["#direction=nobody&sample=99&at=x", "#direction=99", "#sample=-1", "#&&=%", "#%FF"]
)
def test_a_wrong_link_opens_the_page(chromium, run, fragment):
    with tab(chromium, run / "index.html", fragment) as page:
        assert at(page) == 0 and page.errors == []


def test_samples_are_chosen_by_image_or_all_at_once(page):
    first = shown(page)
    page.get_by_role("radio", name="sample 2").check()
    second = shown(page)
    assert second != first and page.evaluate("location.hash") == "#sample=2"
    page.get_by_role("radio", name="all samples").check()
    side = int(page.locator(".strip").first.get_attribute("data-width"))
    assert page.locator(".frame").first.evaluate("c => [c.width, c.height]") == [2 * side, 2 * side]  # two by two
    page.get_by_role("radio", name="sample 0").check()
    assert shown(page) == first


def titles(page) -> list[str]:
    return [text for text in page.locator(".card h3 bdi").all_inner_texts() if text]


def test_directions_are_sorted_and_filtered(page):
    order = page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.number)")
    assert order == ["0", "1", "2", "3", "4", "5"]
    page.get_by_label("Sort by").select_option("activeness")
    assert page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.number)") == list("310542")
    page.get_by_label("Sort by").select_option("change of size")
    assert page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.number)") == list("543210")
    page.get_by_label("Filter").fill("QUOTED")
    assert page.locator(".card:visible").count() == 1 and "1 of 6 directions" in page.get_by_role("status").inner_text()
    page.get_by_label("Filter").fill("")
    assert page.locator(".card:visible").count() == 6


def test_all_strips_play_and_a_touch_stops_them(page):
    page.get_by_role("button", name="Play").click()
    until(page, "Math.abs(document.querySelector('.strip').getAttribute('aria-valuenow')) > 0.5")
    page.get_by_role("slider", name="direction x", exact=True).press("Home")
    assert at(page) == -3 and page.get_by_role("button", name="Play").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(chromium, run, width, scheme):
    gallery = write_gallery(run.parent, on_note=str)
    for path in (run / "index.html", gallery):
        with tab(chromium, path, viewport={"width": width, "height": 844}, color_scheme=scheme) as page:
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert (page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)") == (
                scheme == "light"
            )
            assert page.errors == [] and page.outside == []


def test_without_scripts_each_sheet_is_shown(chromium, run):
    with tab(chromium, run / "index.html", java_script_enabled=False) as page:
        assert page.locator(".sheet:visible").count() == 7 and page.locator("form:visible").count() == 0


def test_a_drag_is_answered_within_a_frame(page):
    """Times from an event to the drawn frame, measured by the browser; the median, as the machine may be busy."""
    slider = page.get_by_role("slider", name="direction x", exact=True)
    page.evaluate("""() => {
        window.times = [];
        let begun = 0;
        addEventListener("pointermove", () => { begun = performance.now(); }, { capture: true });
        addEventListener("pointermove", () => { window.times.push(performance.now() - begun); });
    }""")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 20)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(box["x"] + 5 + step * (box["width"] - 10) / 60, box["y"] + 20)
    page.mouse.up()
    times = sorted(page.evaluate("times"))
    print("ms to draw:", json.dumps([times[len(times) // 2], times[-1]]))
    assert len(times) >= 30 and times[len(times) // 2] < 16


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm install --prefix .venv axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium, run, scheme):
    for path in (run / "index.html", write_gallery(run.parent, on_note=str)):
        with tab(chromium, path, color_scheme=scheme) as page:
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found = page.evaluate("axe.run(document)")
            assert len(found["passes"]) > 20
            serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
            assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
