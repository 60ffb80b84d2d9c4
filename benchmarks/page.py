"""Take the screenshots of docs/page.md, and measure how fast a page answers in Chromium.

python -m benchmarks.page outputs/demo --out docs/images
"""

import argparse
from pathlib import Path
from statistics import median

from direction_finder.files import PAGE
from tests.browser import browser, tab, until

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
VIEWS = {  # name of the image: address of the page, and the window
    "desktop": ("", DESKTOP),
    "phone": ("", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True}),
    "dark": ("#direction={key}&sample=all&at=2", {**DESKTOP, "color_scheme": "dark"}),
}
FIRST = "performance.getEntriesByName('first frame')[0]?.startTime"
RECORD = """() => {
    window.times = [];
    let begun = 0;
    addEventListener("pointermove", () => { begun = performance.now(); }, { capture: true });
    addEventListener("pointermove", () => { times.push(performance.now() - begun); });
}"""


def main() -> None:
    """Write the screenshots, and print the size of the page and its times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the screenshots")
    chosen = parser.parse_args()
    path = (chosen.run / PAGE).absolute()
    print(f"{path.stat().st_size / 1e6:.2f} MB")
    with browser() as opened:
        for name, (address, window) in VIEWS.items():
            with tab(opened, path, **window) as page:
                until(page, FIRST)
                print(f"{name}: first frame after {page.evaluate(FIRST):.0f} ms")
                key = page.locator(".strip").first.get_attribute("data-key")
                page.evaluate("hash => { location.hash = hash }", address.format(key=key))
                page.wait_for_timeout(1000)
                page.screenshot(path=chosen.out / f"page-{name}.png")
                times = drag(page)
                print(f"{name}: drawn in {median(times):.2f} ms, at most {max(times):.2f} ms, in {len(times)} moves")


def drag(page) -> list[float]:
    """Drag the first strip from end to end, and return the milliseconds from each event to its drawn frame."""
    page.evaluate(RECORD)
    box = page.locator(".strip").first.bounding_box()
    y = box["y"] + 20
    page.mouse.move(box["x"] + 5, y)
    page.mouse.down()
    for step in range(120):
        page.mouse.move(box["x"] + 5 + step * (box["width"] - 10) / 120, y)
    page.mouse.up()
    return page.evaluate("times")


if __name__ == "__main__":
    main()
