"""What the command line as a whole promises: help for bare commands, latest, next steps, a start without waiting."""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from direction_finder.commands import VERBS, as_options, main
from tests.conftest import call


@pytest.mark.parametrize("words", [[], ["render"], ["train"], ["scenes"]])
def test_a_bare_command_prints_help(words):
    result = call(*words)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "Commands:\n" in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_latest_is_the_newest_run(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = call("rank", "latest")
    assert refused.exit_code == 2
    assert "no runs under outputs/" in refused.stderr
    learn = ("learn", "--generator", f"dcgan:{dcgan_file}", "--points", 2)
    assert call(*learn, "--seed", 1).exit_code == 0
    assert call(*learn, "--seed", 2).exit_code == 0
    newest = max(path.name for path in Path("outputs").iterdir())
    assert newest.startswith("00002")
    for words in (
        ["render", "grid", "latest", "--samples", 1],
        ["align", "latest", "--direction", 0],
        ["page", "latest"],
    ):
        assert call(*words).exit_code == 0
    assert {"grid.png", "align-0.png", "index.html"} <= {path.name for path in (Path("outputs") / newest).iterdir()}
    assert f"outputs/{newest}" in call("info", "latest").stdout
    assert call("learn", "--resume", "latest", "--points", 3).exit_code == 0
    assert call("measure", "latest", "--metric", "activeness", "--samples", 2).exit_code == 0


def test_the_next_steps_that_learn_prints_work_in_any_folder(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learned = call("learn", "--generator", f"dcgan:{dcgan_file}", "--points", 2, "--out", "a run's folder")
    steps = re.findall(r"direction-finder (.*)", learned.stderr)
    assert len(steps) == 2
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for step in steps:
        assert call(*shlex.split(step), "--samples", 2).exit_code == 0, step


def test_a_direction_that_is_not_there_is_answered_with_the_names(run_folder):
    assert call("name", run_folder, 1, "zoom").exit_code == 0
    result = call("render", "grid", run_folder, "--directions", "colour")
    assert result.exit_code == 2
    assert "expected numbers like 0-7,12, zoom" in result.stderr


def test_info_takes_a_generators_name():
    result = call("info", "clevr-1fov")
    assert result.exit_code == 0
    assert "kind:              generator" in result.stdout
    unknown = call("info", "clevr-2fov")
    assert unknown.exit_code == 2
    assert "no such file or folder, and no generator" in unknown.stderr


def test_info_of_a_run_reads_headers_and_with_check_all(run_folder):
    quick, whole = call("info", run_folder), call("info", run_folder, "--check")
    lines = whole.stdout.splitlines()
    assert quick.stdout.splitlines() == [line for line in lines if not line.startswith("probe:")] != lines
    path = run_folder / "directions.safetensors"
    content = bytearray(path.read_bytes())
    content[-4:] = b"\x00\x00\xc0\x7f"  # a NaN
    path.write_bytes(content)
    assert "none found" in call("info", run_folder).stdout
    assert "NaN" in call("info", run_folder, "--check").stdout


@pytest.mark.parametrize(
    "words", [["--help"], ["learn", "--help"], ["measure", "--help"], ["classes", "golden"], ["info", "RUN"]]
)
def test_what_needs_no_tensors_answers_without_torch(words, run_folder):
    words = [str(run_folder) if word == "RUN" else word for word in words]
    call_main = f"from direction_finder.commands import main\ntry: main({words!r})\n"
    code = f"import sys\n{call_main}finally: assert 'torch' not in sys.modules"
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


def test_names_of_settings_become_options():
    assert as_options("give `num_classes`, or `dim`; see `learn`") == "give --num-classes, or --dim; see `learn`"


def completed(*words: object) -> list[str]:
    """What the shell is offered after these words, the last of them half typed."""
    completion = ShellComplete(main, {}, "direction-finder", "_DIRECTION_FINDER_COMPLETE")
    *before, last = map(str, words)
    return [item.value for item in completion.get_completions(before, last)]


def test_the_shell_completes_verbs_generators_classes_runs_and_directions(run_folder, tmp_path, monkeypatch):
    assert call("name", run_folder, 1, "zoom").exit_code == 0
    assert completed("re") == ["render"]
    assert completed("learn", "--generator", "shapes-6") == ["shapes-64"]
    assert completed("learn", "--generator", "shapes-64", "--class", "c") == ["cube", "cylinder"]
    assert completed("render", "grid", run_folder, "--directions", "0,z") == ["0,zoom"]
    assert completed("align", run_folder, "--direction", "z") == ["zoom"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    run_folder.rename(tmp_path / "outputs" / "00001-run")
    assert completed("rank", "") == ["outputs/00001-run", "latest"]
