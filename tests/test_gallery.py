"""The gallery: every run, newest first, with its best strips and a link to its page."""

import os
import re
import shutil
from pathlib import Path

import pytest

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.reports import write_gallery, write_page
from tests.conftest import call


@pytest.fixture
def outputs(run_folder, tmp_path) -> Path:
    """Three runs: one with a page, one without, and one that has no directions yet."""
    outputs = tmp_path / "outputs"
    write_page(run_folder, samples=2)
    for number, name in enumerate(("a #1", "deep/plain", "half")):
        shutil.copytree(run_folder, outputs / name)
        os.utime(outputs / name / "config.json", (number, number))
    for name in ("index.html", "strips.safetensors"):
        (outputs / "deep" / "plain" / name).unlink()
    (outputs / "half" / "directions.safetensors").unlink()
    return outputs


def test_runs_are_listed_newest_first_with_links_and_strips(outputs):
    notes: list[str] = []
    text = write_gallery(outputs, on_note=notes.append).read_text(encoding="utf-8")
    sections = re.findall('<section class="run".*?</section>', text, re.DOTALL)
    assert ["half" in sections[0], "deep/plain" in sections[1], "a #1" in sections[2]] == [True] * 3
    assert len(sections) == 3 and "3 runs" in text
    assert [section.count('role="slider"') for section in sections] == [0, 0, 4]
    assert 'href="a%20%231/index.html"' in sections[2] and "href" not in sections[1] and "6 hessian" in sections[2]
    assert "direction-finder page deep/plain renders them" in sections[1]
    assert notes == ["half: no directions yet; finish the run with learn --resume half"] and notes[0] in sections[0]
    assert str(outputs) not in text and text.count('data-samples="1"') == 4


def test_it_is_written_elsewhere_with_links_from_there(outputs, tmp_path):
    out = tmp_path / "sub" / "all.html"
    assert call("gallery", outputs, "--out", out).exit_code == 0
    (link,) = {link for link in re.findall('href="(.*?)"', out.read_text()) if "a%20" in link}
    assert link == "../outputs/a%20%231/index.html"


def test_strips_of_other_directions_are_not_shown(outputs):
    path = outputs / "a #1" / "directions.safetensors"
    Directions(Directions.load(path).vectors.flip(0), "random").save(path)
    text = write_gallery(outputs, on_note=str).read_text(encoding="utf-8")
    assert 'role="slider"' not in text


def test_a_folder_without_runs_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no folder in it is a run"):
        write_gallery(tmp_path)
    assert not (tmp_path / "index.html").exists()


def test_another_programs_page_is_not_replaced(outputs):
    (outputs / "index.html").write_text("<!doctype html><p>mine")
    result = call("gallery", outputs)
    assert result.exit_code == 2 and "was not written by direction-finder" in result.stderr
    assert call("gallery", outputs, "--force").exit_code == 0
