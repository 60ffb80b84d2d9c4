"""The page of a sweep and what its classes share: what they say, and that a thousand runs are answered at once."""

import csv
import re
from functools import cache

import pytest
import torch

import direction_finder as df
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS, RANK, STRIPS, write_json
from direction_finder.metrics.ranking import random_matches
from direction_finder.rendering.strips import Strip, encoded, thumbnail
from direction_finder.reports.pages.cards import shown
from direction_finder.reports.pages.strip_file import save_strips
from direction_finder.sweeps import page as pages
from direction_finder.sweeps.page import LISTED, write_sweep_page
from direction_finder.sweeps.shared import PANEL, Shared, write_shared
from direction_finder.sweeps.table import row_of, update
from tests.browser import browser, missing, tab, until
from tests.conftest import NUM_CLASSES, call

DIM = 8


def basis(seed: int) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(seed)))[0]


def write_run(folder, number: int, vectors=None, strip: Strip | None = None, **changes):
    """A finished run of the class with this number."""
    run = folder / f"random-{number:03d}-seed-0"
    run.mkdir(parents=True)
    finding = {
        "reason": "done",
        "images": 10 + number,
        "gradients": 0,
        "seconds": 1.0,
        "share": 0.5,
        "random_share": 0.1,
    }
    config = {
        "direction_finder": "0.2", "torch": "2", "device": "cpu", "threads": 1, "class": f"thing {number}, or other",
        "method": "random", "settings": {"seed": 0, "class_index": number}, "part": None, "measured": {},
        "generator": {"name": "planted"}, "started": "then", "finished": "now", "finding": finding, **changes,
    }  # fmt: skip
    write_json(run / CONFIG, config)
    found = df.Directions(
        basis(number) if vectors is None else vectors, "random", names=("x", *[None] * (DIM - 1)),
        ranges=(2.125, *[None] * (DIM - 1)), class_index=number, class_name=config["class"],
    )  # fmt: skip
    found.save(run / DIRECTIONS)
    if strip:
        write_json(run / RANK, {"directions_sha256": found.sha256, "short_list": [0, 3]})
        save_strips(run, {0: strip, 3: strip}, {"directions": found.sha256})
    return run


def runs_of(text: str) -> list[str]:
    return re.findall(r'<section class="run".*?</section>', text, re.DOTALL)


@pytest.fixture(scope="module")
def strip() -> Strip:
    """31 frames of noise: nothing is harder to make small."""
    images = torch.randint(256, (1, 31, 40, 40, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    positions = [0.2 * step for step in range(-15, 16)]
    return encoded(images.numpy(), positions, quality=90, room=1e9)


def test_the_page_says_what_came_out_of_each_run(tmp_path, strip):
    write_run(tmp_path, 0, strip=strip)
    (write_run(tmp_path, 1) / "index.html").write_text("its page")
    write_run(tmp_path, 2, finished=None, finding=None)
    left = {"random-009-seed-0": {**row_of(df.open_run(tmp_path / "random-001-seed-0")), "folder": "random-009-seed-0",
                                  "status": "failed", "reason": "<b>out of memory</b>"}}  # fmt: skip
    write_sweep_page(tmp_path, update(tmp_path, left, {}))
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    failed, ranked, second, unfinished = runs_of(text)
    assert "2 done, 1 failed, 1 left" in text
    assert "&lt;b&gt;out of memory" in failed and "href" not in failed
    for words in ("thing 0 · random · seed 0", "10 passes, 1 s", "share 0.500, of a random basis 0.100",
                  "Stands out: x ±2.12, 3", 'href="random-000-seed-0/"'):  # fmt: skip
        assert words in ranked
    assert ranked.count('role="slider"') == 2 and ranked.count('data-samples="1"') == 2
    assert 'href="random-001-seed-0/index.html"' in second and "Stands out" not in second
    assert re.search(r'<p class="line"><bdi>left</bdi>', unfinished)


def test_directions_of_several_classes_are_compared_with_one_another_and_with_chance(tmp_path):
    """Three classes share three directions, which are ordered and signed at random; the rest is random."""
    rng = torch.Generator().manual_seed(7)
    common = basis(99)
    for number in range(3):
        rest = torch.linalg.qr(torch.randn(5, 5, generator=rng))[0] @ common[3:]
        rows = torch.cat([common[:3] * -1, rest])[torch.randperm(DIM, generator=rng)]
        write_run(tmp_path, number, rows)
    write_run(tmp_path, 3, common, **{"settings": {"seed": 0, "class_index": [0, 1, 2]}, "class": "all"})
    write_run(tmp_path, 4, finished=None)  # not done, so it is left out
    summaries, best = write_shared(tmp_path, update(tmp_path, {}, {}))
    assert sorted(summaries) == [f"random-{number:03d}-seed-0" for number in range(4)]
    with (tmp_path / "shared.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if float(line["mean"]) > 1 - 1e-6]
    assert [line["class"] for line in lines] == [f"thing {n}, or other" for n in (0, 1, 2) for _ in range(3)] + [
        "all"
    ] * 3
    assert {line["others"] for line in lines} == {"2", "3"} and all(line["near"] == line["others"] for line in lines)
    assert all(line.mean > 0.999 and line.clear for line in best[:12]) and best[12].mean < 0.999
    assert all(summary.clear >= 3 and summary.mean > summary.random + 0.1 for summary in summaries.values())


def test_random_bases_share_no_more_than_chance_says(tmp_path):
    for number in range(12):
        write_run(tmp_path, number)
    summaries, best = write_shared(tmp_path, update(tmp_path, {}, {}))
    clear = sum(summary.clear for summary in summaries.values()) / (12 * DIM)
    assert clear < 0.15  # expected: 0.05
    mean = sum(summary.mean for summary in summaries.values()) / 12
    assert mean == pytest.approx(best[0].random, abs=0.03) and best[0].random > 0.5
    assert best[0].random < best[0].limit < random_matches(DIM, DIM, 100).quantile(0.95) - 0.1  # one match varies more


def test_many_classes_are_compared_with_some(tmp_path):
    for number in range(PANEL + 5):
        write_run(tmp_path, number)
    (tmp_path / "random-000-seed-0" / DIRECTIONS).write_bytes(b"damaged")
    summaries, best = write_shared(tmp_path, update(tmp_path, {}, {}))
    assert len(summaries) == PANEL + 4 and {line.others for line in best} <= {PANEL - 2, PANEL - 1}


def test_one_class_shares_nothing(tmp_path):
    write_run(tmp_path, 0)
    assert write_shared(tmp_path, update(tmp_path, {}, {})) == ({}, []) and not (tmp_path / "shared.csv").exists()


@pytest.mark.parametrize("name", ["index.html", "shared.csv"])
def test_files_of_others_are_refused_before_any_work(name, dcgan_file, tmp_path):
    (tmp_path / name).write_text("<!doctype html>mine")
    with pytest.raises(InputError, match="give another folder as `out`"):
        df.sweep(f"dcgan:{dcgan_file}", tmp_path, "random", workers=1, loading={"num_classes": NUM_CLASSES})
    assert [path.name for path in tmp_path.iterdir()] == [name] and "mine" in (tmp_path / name).read_text()


def test_a_sweep_ranks_and_renders_its_runs_if_asked(dcgan_file, tmp_path):
    arguments = ("sweep", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--class", "0-1",
                 "--method", "coordinates", "--workers", 1, "--out", tmp_path / "s")  # fmt: skip
    assert call(*arguments).exit_code == 0
    text = (tmp_path / "s" / "index.html").read_text(encoding="utf-8")
    assert 'role="slider"' not in text and "stands out" not in text.lower() and "Which directions classes share" in text
    assert call(*arguments, "--rank").exit_code == 0
    again = (tmp_path / "s" / "index.html").read_text(encoding="utf-8")
    assert all('role="slider"' in run and "stands out" in run.lower() for run in runs_of(again))
    files = [path for name in (RANK, STRIPS, DIRECTIONS) for path in (tmp_path / "s").glob(f"*/{name}")]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert len(before) == 6 and call(*arguments, "--rank").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert (tmp_path / "s" / "index.html").read_text(encoding="utf-8") == again


def test_a_thumbnail_fits_its_room_and_shows_the_same_positions(strip):
    small = thumbnail(strip, 6000)
    assert len(small.sheet) <= 6000 and small.size[0] < strip.size[0]
    assert small.positions == strip.positions[::3] and small.positions[5] == 0 and small.positions[-1] == 3
    assert thumbnail(strip, 1).size[0] <= 16  # of no room, it is as small as can be seen


def test_of_too_many_runs_the_failed_ones_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "LISTED", 2)
    for number in range(4):
        write_run(tmp_path, number)
    rows = update(tmp_path, {}, {})
    rows[3]["status"] = "failed"
    write_sweep_page(tmp_path, rows)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert LISTED == 2000 and len(runs_of(text)) == 2 and "random-003" in runs_of(text)[0] and "2 of 4 runs" in text


SEARCH = """words => {
    const field = document.querySelector("input[type=search]"), times = [];
    for (const word of words) {
        const begun = performance.now();
        field.value = word;
        field.dispatchEvent(new Event("input"));
        document.body.getBoundingClientRect();  // lays the page out
        times.push(performance.now() - begun);
    }
    return times;
}"""


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_page_of_a_thousand_runs_is_small_and_searched_at_once(tmp_path, strip, monkeypatch):
    row = row_of(df.open_run(write_run(tmp_path, 0)))
    rows = [
        {**row, "class": f"thing {i}, or other", "passes": i, "folder": f"random-{i:03d}-seed-0"} for i in range(1000)
    ]
    cheap = cache(lambda room: [shown(thumbnail(strip, room), "direction x", "planted", 2.0)])
    monkeypatch.setattr(pages, "_strips", lambda folder, most, room: (cheap(room) * most, ""))
    write_sweep_page(tmp_path, [{**each, "classes": 0} for each in rows])
    size = (tmp_path / "index.html").stat().st_size
    with browser() as opened, tab(opened, tmp_path / "index.html", viewport={"width": 1280, "height": 900}) as page:
        until(page, "performance.getEntriesByName('first frame').length")
        times = page.evaluate(SEARCH, ["7", "77", "thing 7", "seed nobody", "", "thing 99", ""] * 3)
        print(f"{size / 1e6:.1f} MB; ms to search:", [round(each, 1) for each in times])
        assert 10e6 < size < 20e6 and sorted(times)[len(times) // 2] <= 50
        page.get_by_label("Filter").fill("THING random-07")
        assert "10 of 1000 runs" in page.get_by_role("status").inner_text()
        assert page.locator(".run:visible").count() == 10
        page.get_by_label("Filter").fill("")
        for key, first in (("passes", "thing 999"), ("class", "thing 0 "), ("shared", "thing 0 ")):
            page.get_by_label("Sort by").select_option(key)
            assert page.locator(".run h2").first.inner_text().startswith(first)
        assert page.errors == [] and page.outside == []


def test_a_line_about_sharing_is_read_as_it_is_written():
    line = Shared("random", None, 0, "cube", 1, None, 3, 1, 2, 0.5, 0.4, 0.6)
    assert not line.clear and line._replace(mean=0.61).clear
