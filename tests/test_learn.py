"""`learn`: run folders, interruption at any moment, exact resumption."""

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from direction_finder.directions import Directions
from tests.conftest import NUM_CLASSES, call
from tests.process import finish, start, wait_for

STEPS = 100


def arguments(dcgan_file: Path, *more: object) -> list[str]:
    generator = ["--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--class", "class 1"]
    settings = ["--method", "hessian", "--steps", STEPS, "--batch-size", 16, "--seed", 4, "--threads", 1]
    return [str(item) for item in ("learn", *generator, *settings, *more)]


def logged(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, dcgan_file) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert finish(start(*arguments(dcgan_file, "--out", folder))) == 0
    return folder


@pytest.mark.parametrize("kill", range(10))
def test_killed_at_any_moment_and_resumed_gives_the_same_bytes(kill, uninterrupted, dcgan_file, tmp_path):
    """Ten runs, each killed twice with SIGKILL at random moments; states are saved as often as possible."""
    moments = random.Random(kill)
    folder = tmp_path / "run"
    process = start(*arguments(dcgan_file, "--out", folder, "--save-every", 0.02))
    wait_for((folder / "config.json").exists)
    for attempt in range(2):
        time.sleep(moments.uniform(0, 0.6 if attempt else 0.2))  # the first run is not done in 0.2 s
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL or attempt  # the first always hits a run at work
        process = start("learn", "--resume", folder, "--save-every", 0.02)
    assert finish(process) == 0
    for name in ("directions.safetensors", "log.jsonl", "state.safetensors"):
        assert (folder / name).read_bytes() == (uninterrupted / name).read_bytes(), name
    assert logged(folder) == list(range(1, STEPS + 1))
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(number, uninterrupted, dcgan_file, tmp_path):
    folder = tmp_path / "run"
    process = start(*arguments(dcgan_file, "--out", folder))
    wait_for((folder / "log.jsonl").exists)
    time.sleep(0.3)
    os.kill(process.pid, number)
    assert finish(process) == 130
    assert Directions.load(folder).scores[0] is None
    assert logged(folder)[-1] < STEPS
    assert call("info", folder).stdout.count("stopped at step") == 1
    assert finish(start("learn", "--resume", folder)) == 0
    assert (folder / "directions.safetensors").read_bytes() == (uninterrupted / "directions.safetensors").read_bytes()


def test_a_direct_run_that_settled_is_finished_and_a_stopped_one_is_not(dcgan_file, tmp_path):
    base = ["learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--out"]
    assert call(*base, tmp_path / "settled", "--points", 1000).exit_code == 0
    assert len(logged(tmp_path / "settled")) < 200
    assert "problems:          none found" in call("info", tmp_path / "settled").stdout
    folder = tmp_path / "stopped"
    process = start(*base, folder, "--points", 100_000, "--keep-going", "--threads", 1)
    wait_for((folder / "log.jsonl").exists)
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == 130
    assert f"learn --resume {folder} resumes it" in call("info", folder).stdout


def test_a_run_can_be_prolonged(uninterrupted, dcgan_file, tmp_path):
    folder = tmp_path / "run"
    command = arguments(dcgan_file, "--out", folder)
    command[command.index("--steps") + 1] = "20"
    assert finish(start(*command)) == 0
    assert finish(start("learn", "--resume", folder, "--steps", STEPS, "--device", "cpu")) == 0
    assert (folder / "directions.safetensors").read_bytes() == (uninterrupted / "directions.safetensors").read_bytes()


def test_a_finished_run_that_is_prolonged_and_stopped_is_not_finished(dcgan_file, tmp_path):
    folder = tmp_path / "run"
    assert finish(start(*arguments(dcgan_file, "--out", folder))) == 0
    assert "problems:          none found" in call("info", folder).stdout
    process = start("learn", "--resume", folder, "--steps", 1_000_000)
    wait_for(lambda: (folder / "log.jsonl").read_text().count("\n") > STEPS)
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == 130
    assert "stopped at step" in call("info", folder).stdout


def test_a_run_folder_holds_what_it_should(uninterrupted):
    assert {path.name for path in uninterrupted.iterdir()} == {
        "config.json",
        "directions.safetensors",
        "log.jsonl",
        "state.safetensors",
    }
    config = json.loads((uninterrupted / "config.json").read_text())
    assert config["threads"] == 1
    assert config["settings"]["steps"] == STEPS
    assert config["class"] == "class 1"
    text = json.dumps(Directions.load(uninterrupted).metadata())
    assert str(uninterrupted.parent) not in text
    assert not re.search(r"20\d\d-\d\d", text)  # no time, no path


def test_default_folders_are_numbered_and_classes_get_one_each(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--method", "random")
    assert call(*base, "--class", "class 0", "--class", 2).exit_code == 0
    assert call(*base).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "outputs").iterdir()) == [
        "00001-random-dcgan-small-class-0",
        "00002-random-dcgan-small-class-2",
        "00003-random-dcgan-small-random-classes",
    ]


def test_spaces_get_a_run_each_and_a_line_at_the_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    golden = Path(__file__).parent / "golden" / "biggan-brock.safetensors"
    state = {key.removeprefix("state."): tensor for key, tensor in load_file(golden).items() if "state." in key}
    torch.save(state, "G.pth")
    result = call("learn", "--generator", "biggan:G.pth", "--class", "class 1", "--method", "random", "--part", "mid",
                  "--part", "fine", "--score-samples", 1)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    stems = ("00001-random-biggan-g-class-1-mid", "00002-random-biggan-g-class-1-fine")
    runs = [Path("outputs") / stem for stem in stems]
    for run, dims in zip(runs, ([40, 79], [80, 119]), strict=True):
        found = Directions.load(run)
        assert len(found) == 40 and found.config["dims"] == dims
        assert found.vectors[:, dims[0] : dims[1] + 1].square().sum() == pytest.approx(40)
        assert re.search(rf"{run}: class 1; {run.name.rpartition('-')[2]}; 40 directions; strongest", result.stdout)
    for more, word in [(["--dims", "0-1"], "leave out --dims"), (["--out", "a"], "there are 2 runs")]:
        refused = call("learn", "--generator", "biggan:G.pth", "--part", "mid", "--part", "fine", *more)
        assert refused.exit_code == 2 and word in refused.stderr
    refused = call("learn", "--generator", "clevr-1fov", "--part", "mid")
    assert refused.exit_code == 2 and "clevr-1fov has all" in refused.stderr


def test_dry_run_prints_every_setting_and_writes_nothing(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments(dcgan_file, "--dry-run"))
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert content["settings"]["learning_rate"] == 0.01
    assert content["generator"]["weights_sha256"]
    assert content["estimate"]["passes"] > 16 * STEPS and content["estimate"]["gib"] > 0.05
    assert f"at most {content['estimate']['passes']:,} passes" in result.stderr
    assert not list(tmp_path.iterdir())


def test_help_has_an_option_for_every_setting():
    result = call("learn", "--help")
    for option in ("--steps", "--eta", "--orthogonal", "--layers", "--at", "--reduction", "--max-batch", "Example:"):
        assert option in result.stdout


def test_resume_takes_no_other_setting(uninterrupted):
    result = call("learn", "--resume", uninterrupted, "--seed", 3, "--class", 1)
    assert result.exit_code == 2
    assert "leave out --class, --seed" in result.stderr or "leave out --seed, --class" in result.stderr
    result = call("learn", "--resume", uninterrupted, "--steps", 5)
    assert result.exit_code == 2
    assert f"at step {STEPS} already" in result.stderr


def test_other_weights_than_at_the_start_are_refused(dcgan_file, tmp_path):
    moved = tmp_path / "g.pth"
    state = torch.load(dcgan_file, weights_only=True)
    torch.save(state, moved)
    folder = tmp_path / "run"
    assert call("learn", "--generator", f"dcgan:{moved}", "--method", "random", "--out", folder).exit_code == 0
    torch.save({key: tensor + 1 if tensor.is_floating_point() else tensor for key, tensor in state.items()}, moved)
    result = call("learn", "--resume", folder)
    assert result.exit_code == 2
    assert "other weights" in result.stderr
    assert "found in generator" in call("render", "grid", folder).stderr
