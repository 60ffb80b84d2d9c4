"""What options parse: groups as one value, samples by number or file, coordinates, ranges, settings of methods."""

from dataclasses import dataclass, make_dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from direction_finder.commands.numbers import CoordinatesOrPercentiles, NumberRange, SamplesOrFile
from direction_finder.commands.option_values import Coordinate, Drawing
from direction_finder.commands.options import config_options, drawing_options, given_options, grouped, shown
from direction_finder.commands.paths import RunPath
from direction_finder.settings import option


@dataclass(frozen=True)
class Pair:
    left: int
    right: str = "unset"


def parsed(kind: click.ParamType, text: str) -> object:
    return kind.convert(text, None, None)


def invoked(decorate, *words: object) -> list[tuple[tuple, dict]]:
    """What a command with these options is called with; its options as given on the command line under "given"."""
    calls = []

    @click.command()
    @decorate
    @click.pass_context
    def command(ctx: click.Context, /, *arguments: object, **named: object) -> None:
        calls.append((arguments, {**named, "given": given_options(ctx)}))

    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return calls


def test_a_group_is_given_as_one_value():
    both = grouped("pair", Pair, click.option("--left", default=1), click.option("--right"), click.option("--other"))
    ((_, named),) = invoked(both, "--right", "r")
    assert named == {"pair": Pair(1, "r"), "other": None, "given": ["right"]}


def test_a_group_may_have_fewer_options_than_fields():
    ((_, named),) = invoked(grouped("pair", Pair, click.option("--left", type=int)), "--left", 4)
    assert named["pair"] == Pair(4, "unset")


def test_a_group_lists_its_options_in_their_order_and_keeps_the_help():
    @click.command()
    @grouped("pair", Pair, click.option("--right"), click.option("--left"))
    def command(pair: Pair) -> None:
        """Do it."""

    assert [each.name for each in command.params] == ["right", "left"] and command.help == "Do it."


def test_options_of_drawing_have_the_defaults_of_their_value():
    ((_, named),) = invoked(drawing_options)
    assert named == {"drawing": Drawing(), "given": []}
    ((_, named),) = invoked(drawing_options, "--class", "cube", "--seed", 3)
    assert named["drawing"] == Drawing(class_text="cube", seed=3) and set(named["given"]) == {"class_text", "seed"}


def test_samples_are_a_number_or_a_file(tmp_path):
    path = tmp_path / "12.npy"
    path.touch()
    kind = SamplesOrFile()
    assert parsed(kind, "12") == 12 and parsed(kind, "+3") == 3 and parsed(kind, str(path)) == path
    for value in (7, path):
        assert parsed(kind, value) is value


@pytest.mark.parametrize(
    ("text", "least", "words"),
    [
        ("0", 1, "'0': expected at least 1"),
        ("-3", 1, "'-3': expected at least 1"),
        ("1", 2, "'1': expected at least 2"),
        ("1.5", 1, "'1.5': neither a number nor a file of samples"),
        ("nowhere.npy", 1, "'nowhere.npy': neither a number nor a file of samples"),
        ("", 1, "neither a number nor a file"),
        (".", 1, "neither a number nor a file"),
    ],
)
def test_what_are_no_samples_is_refused(text, least, words):
    with pytest.raises(click.BadParameter) as caught:
        parsed(SamplesOrFile(least), text)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", (Coordinate(1.5),)),
        ("-2", (Coordinate(-2.0),)),
        ("75%", (Coordinate(75.0, True),)),
        ("-1e-3", (Coordinate(-0.001),)),
        ("12.5%,-1", (Coordinate(12.5, True), Coordinate(-1.0))),
    ],
)
def test_a_coordinate_is_a_number_or_a_percentile(text, value):
    assert parsed(CoordinatesOrPercentiles(), text) == value and parsed(CoordinatesOrPercentiles(), value) is value


@pytest.mark.parametrize("text", ["", "%", "far", "75%%", "%75", "1,", ",", "1;2"])
def test_what_is_no_coordinate_is_refused(text):
    with pytest.raises(click.BadParameter, match="expected a number, or a percentile like 75%"):
        parsed(CoordinatesOrPercentiles(), text)


def test_a_range_is_first_and_last():
    assert parsed(NumberRange(), "0-39") == (0, 39) and parsed(NumberRange(), "7") == (7, 7)
    assert parsed(NumberRange(), "0") == (0, 0) and NumberRange().convert((1, 2), None, None) == (1, 2)
    for text in ("3-1", "x", "-1", "1-2-3", ""):
        with pytest.raises(click.BadParameter, match="expected a range like 0-39"):
            parsed(NumberRange(), text)


def test_a_run_is_a_path_that_exists_or_the_newest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs" / "00001-run").mkdir(parents=True)
    (tmp_path / "outputs" / "00001-run" / "config.json").write_text("{}")
    assert parsed(RunPath(), "latest") == Path("outputs/00001-run") and parsed(RunPath(), "outputs") == Path("outputs")
    with pytest.raises(click.BadParameter, match="does not exist"):
        parsed(RunPath(), "nowhere")
    with pytest.raises(click.BadParameter, match="is a directory"):
        parsed(RunPath(folder=False), "latest")


def test_a_path_is_shown_so_that_a_shell_reads_it_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(Path("plain")) == str(tmp_path / "plain")
    assert shown(Path("a run's")) == f"'{tmp_path}/a run'\"'\"'s'"


def fields(**given: tuple) -> type:
    return make_dataclass(
        "Config",
        [(name, kind, option(default, text, **limits)) for name, (kind, default, text, limits) in given.items()],
    )


def test_settings_of_methods_become_options_that_are_not_given_unless_they_are():
    one = fields(
        seed=(int, 0, "Seed.", {}), steps=(int, 5, "Steps.", {}), mirror=(bool, False, "Mirror.", {}),
        kind=(str, "a", "Kind.", {"choices": ("a", "b")}), at=(tuple[str, ...], ("image",), "At.", {}),
        dims=(tuple[int, int] | None, None, "Dims.", {}), internal=(int, 1, "No option.", {}),
    )  # fmt: skip
    two = fields(steps=(int, 7, "Steps.", {}))
    decorate = config_options({"one": one, "two": two}, skip=("internal",))
    ((_, named),) = invoked(decorate)
    assert named == {"steps": None, "at": (), "dims": None, "seed": None, "mirror": None, "kind": None, "given": []}
    ((_, named),) = invoked(
        decorate, "--steps", 3, "--at", "x", "--at", "y", "--dims", "0-4", "--mirror", "--kind", "b"
    )
    assert named == {"steps": 3, "at": ("x", "y"), "dims": (0, 4), "seed": None, "mirror": True, "kind": "b",
                     "given": [*named["given"]]}  # fmt: skip

    @click.command()
    @decorate
    def command(**_: object) -> None: ...

    names = [each.name for each in command.params]
    assert names == ["steps", "dims", "at", "seed", "mirror", "kind"]
    texts = {each.name: each.help for each in command.params}
    assert texts["steps"] == "Steps.  [default: one 5, two 7]" and texts["seed"] == "Seed.  [default: 0]"
    assert texts["dims"] == "Dims." and texts["at"] == "At.  [default: image]"
