"""Every option of every verb meets values that cannot be meant: one line and exit code 2, and nothing is begun."""

import os
from pathlib import Path

import click
import pytest

from direction_finder.commands.numbers import (
    CoordinatesOrPercentiles,
    Number,
    NumberRange,
    SamplesOrFile,
    Seeds,
    Shard,
    Whole,
)
from direction_finder.commands.paths import Place
from tests.conftest import call
from tests.test_words import commands

NO_NUMBERS = ("nan", "9" * 5000, "²", "inf", "1e999", "٣", "1_000", " 5 ", "0x10", "2147483648e9", "")
NO_TEXTS = ("\x00", "\x1b[31m", "two\nlines", "\udcff", "\u2028", "\x9b")
LEAVES = [(name, command) for name, command in commands() if not isinstance(command, click.Group)]
PARAMETERS = [
    pytest.param(name, parameter, id=f"{name} {parameter.name}")
    for name, command in LEAVES
    for parameter in command.params
    if not getattr(parameter, "is_flag", False)
]
NUMBERS = [each for each in PARAMETERS if isinstance(each.values[1].type, Whole | Number | SamplesOrFile | NumberRange
                                                     | CoordinatesOrPercentiles | Seeds | Shard)]  # fmt: skip
PATHS = [each for each in PARAMETERS if isinstance(each.values[1].type, Place)]


def refused(*words: object) -> str:
    """Run, and return the one line that is printed."""
    result = call(*words)
    assert result.exit_code == 2 and result.stdout == "", result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ") and "\x1b" not in line
    return line


def given(parameter: click.Parameter, value: object) -> list[object]:
    """Words that give a parameter a value; an option is parsed before arguments that are missing."""
    return [parameter.opts[0], value] if isinstance(parameter, click.Option) else [value]


def test_there_are_options_of_every_kind():
    assert len(LEAVES) >= 24 and len(NUMBERS) > 100 and len(PATHS) > 40


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_no_option_parses_numbers_in_a_way_of_its_own(name, parameter):
    plain = click.types.IntParamType | click.types.FloatParamType | click.types.IntRange | click.types.FloatRange
    assert not isinstance(parameter.type, plain)
    assert not isinstance(parameter.type, click.Path) or isinstance(parameter.type, Place)


@pytest.mark.parametrize(("name", "parameter"), NUMBERS)
def test_what_is_no_number_is_refused(name, parameter):
    for value in NO_NUMBERS:
        line = refused(*name.split(), *given(parameter, value))
        assert (f"'{parameter.opts[0]}'" in line and "expected" in line) or "neither a number nor a file" in line


@pytest.mark.parametrize(("name", "parameter"), PATHS)
def test_what_is_no_place_is_refused(name, parameter, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for value in (tmp_path / "pipe", "/dev/zero", "n" * 300, ""):
        assert "Invalid value for" in refused(*name.split(), *given(parameter, value))


@pytest.mark.parametrize(("name", "command"), LEAVES)
def test_what_is_no_text_is_refused(name, command):
    for value in NO_TEXTS:
        line = refused(*name.split(), value)
        assert "give plain text" in line and value not in line


TEXTS = (
    "-",
    "..",
    "~",
    "x" * 5000,
    "日本",
    "%s{}",
    "²",
    "٣",
    "-1",
    "0-",
    "a,b",
    "all",
    "cuda:99",
    "meta",
    "/",
    "\u202eabc",
)
BASE = {
    "name": ["name", "RUN", "1", "VALUE"],
    "direction": ["name", "RUN", "VALUE", "x"],
    "class": ["render", "grid", "RUN", "--samples", 1, "--steps", 2, "--directions", 0, "--class", "VALUE"],
    "directions": ["render", "grid", "RUN", "--samples", 1, "--steps", 2, "--directions", "VALUE"],
    "device": ["align", "RUN", "--direction", 0, "--samples", 1, "--device", "VALUE"],
    "generator": ["export", "VALUE", "--out", "RUN/m.npy"],
    "step": ["edit", "RUN", "--samples", 1, "--step", "VALUE"],
    "keep": ["align", "RUN", "--direction", 0, "--samples", 1, "--keep", "VALUE"],
    "to": ["align", "RUN", "--direction", 0, "--samples", 1, "--to", "VALUE"],
    "out": ["export", "RUN", "--out", "RUN/VALUE.npy"],
    "text": ["classes", "VALUE"],
    "target": ["info", "VALUE"],
}


@pytest.mark.parametrize("base", BASE.values(), ids=BASE)
def test_texts_are_taken_or_refused_in_one_line(base, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in TEXTS:
        words = [str(word).replace("RUN", str(run_folder)).replace("VALUE", text) for word in base]
        result = call(*words)
        assert result.exit_code in (0, 2), result.stderr
        if result.exit_code:
            assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1, result.stderr


@pytest.mark.parametrize(
    "step", ["align:0=1e999", "align:0=nan", "move:0=1.2.3", "align:-1=2", "move:²=1", "move:0=1e7"]
)
def test_a_step_that_cannot_be_replayed_is_not_made(step, run_folder):
    assert "Error: " in refused("edit", run_folder, "--samples", 1, "--step", step)
    assert not (run_folder / "edit.json").exists()


def test_a_path_of_samples_may_be_named_like_nothing_on_earth(run_folder):
    line = refused("render", "grid", run_folder, "--samples", "n" * 300)
    assert "neither a number nor a file of samples" in line


def test_an_output_may_have_the_name_of_a_protocol(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(
        "render", "video", run_folder, "--samples", 1, "--directions", 0, "--seconds", 0.1, "--out", "file:x.mp4"
    )
    assert result.exit_code == 0, result.stderr
    assert Path("file:x.mp4").stat().st_size
