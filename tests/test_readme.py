"""The README does what it says, and the commands on the pages of docs/ exist."""

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from PIL import Image

from direction_finder.commands import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
BLOCKS = FENCE.findall(README)
COMMANDS = sorted(
    {
        line
        for text in PAGES.values()
        for _, block in FENCE.findall(text)
        for line in block.splitlines()
        if line.startswith("direction-finder")
    }
)


def test_the_python_tour_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tour,) = [block for language, block in BLOCKS if language == "python" and "load_generator" in block]
    exec(compile(tour, "README.md", "exec"), {})
    for name in ("edits.png", "grid.png"):
        with Image.open(name) as sheet:
            pixels = np.asarray(sheet)
        assert pixels.shape[0] > 3 * 64
        assert pixels.std() > 20
    assert (tmp_path / "directions.safetensors").exists()


def python_of(page: str) -> str:
    """The Python of a page, but for the example of a factory, which needs somebody's project."""
    blocks = [block for language, block in FENCE.findall(page) if language == "python"]
    return "\n".join(block for block in blocks if "my_project" not in block)


def test_the_page_from_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(python_of(PAGES[ROOT / "docs" / "from-python.md"]), "from-python.md", "exec"), names)
    record = names["df"].Directions.load("run")
    moved = names["moved_z"] - names["z"]
    assert torch.allclose(moved, (2.0 * record.vectors[0]).expand(4, -1), atol=1e-6)


def test_the_type_checker_reads_what_the_pages_show():
    shown = [python_of(README), python_of(PAGES[ROOT / "docs" / "from-python.md"])]
    checked = (ROOT / "tests" / "public_api.py").read_text()
    for line in "\n".join(shown).splitlines():
        assert line.strip() in checked, line


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist_with_these_options(line):
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, line
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_images_exist():
    for page, text in PAGES.items():
        for path in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (page.parent / path).is_file(), f"{page}: {path}"


def test_make_has_the_two_commands():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in README
        assert f"\n{target}:" in makefile
