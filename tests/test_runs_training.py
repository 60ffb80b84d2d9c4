"""Runs that train: what is refused before a folder is there, what they leave behind, how they go on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from direction_finder.errors import Diverged, InputError
from direction_finder.files import CONFIG, read_json, write_json
from direction_finder.reports.file_facts import described
from direction_finder.runs import training
from direction_finder.runs.api import finetune, train
from direction_finder.runs.folder import Run
from direction_finder.runs.lifecycle import Machine
from direction_finder.runs.trainers import MODELS, SNAPSHOT, Upkeep, lost
from direction_finder.runs.training import Watch, snapshot_settings
from direction_finder.training.progan import ProGANTrainer
from tests.conftest import TINY_PROGAN as TINY

QUIET = Upkeep(preview_every=0, score_every=0, save_every=1000)


def write_images(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    for number, pixels in enumerate(np.random.default_rng(seed).integers(0, 255, (8, 8, 8, 3), np.uint8)):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def images(tmp_path) -> Path:
    return write_images(tmp_path / "pictures")


def trained(images: Path, out: Path, stop: int | None = None, **given) -> Run:
    """A ProGAN of two levels, which takes four steps."""

    def progress(step) -> None:
        if step.step == stop:
            step.stop()

    return train("progan", images, out=out, resolution=8, progress=progress, **{"upkeep": QUIET, **TINY, **given})


def weights(run: Run) -> bytes:
    return (run.folder / "generator.safetensors").read_bytes()


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def break_at(number: int, patch: pytest.MonkeyPatch) -> None:
    """From now on the losses of this step are NaN."""
    take = ProGANTrainer.step

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        return {**take(self, step, rng), **({"loss_g": float("nan")} if step == number else {})}

    patch.setattr(ProGANTrainer, "step", step)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": 3}, "progan has no setting steps; it has kimg, "),
        ({"kimg": -1}, "kimg is -1"),
        ({"codes": 9}, "codes is 9: z has 2 components"),
        ({"resolution": None}, "give their size with `resolution`"),
        ({"start": "nowhere.safetensors"}, "nowhere.safetensors"),
        ({"device": "abacus"}, "abacus"),
        ({"kimg": 0.001}, "growing takes"),
        ({"batch_size": 64, "largest_batch": 64}, "8 images are fewer than a batch of 64"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_no_folder(given, words, images, tmp_path):
    with pytest.raises(InputError, match=words):
        train("progan", images, out=tmp_path / "run", **{"resolution": 8, "upkeep": QUIET, **TINY, **given})
    assert not (tmp_path / "run").exists()


def test_unknown_models_and_labels_are_refused(images, tmp_path):
    with pytest.raises(InputError, match=r"^model 'stylegan': expected biggan, progan, st-rkm, vae$"):
        train("stylegan", images, out=tmp_path / "run")
    with pytest.raises(InputError, match="pictures"):
        train("biggan", images, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_holds_what_it_was_made_of(images, tmp_path):
    run = trained(images, tmp_path / "run")
    assert run.finished and {path.name for path in run.folder.iterdir()} == {
        "config.json", "log.jsonl", "state.safetensors", SNAPSHOT, "generator.safetensors",
    }  # fmt: skip
    config = read_json(run.folder / "config.json")
    assert config["model"] == "progan" and config["start"] is None and config["settings"].items() >= TINY.items()
    assert config["data"]["folder"] == str(images) and config["data"]["resolution"] == 8
    assert "label" not in config["data"] and [step["step"] for step in run.steps()] == [1, 2, 3, 4]


def test_folders_are_named_by_model_and_data(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert trained(images, None, stop=1).folder.name.startswith("00001-progan-")


def test_a_stopped_run_goes_on_exactly_where_it_was(images, tmp_path):
    whole = trained(images, tmp_path / "whole")
    run = trained(images, tmp_path / "run", stop=2)
    assert not run.finished and len(run.steps()) == 2
    began = []
    again = training.resume(run.folder, upkeep=QUIET, watch=Watch(on_begin=lambda run: began.append(run.finished)))
    assert again.finished and began == [False] and weights(again) == weights(whole)
    assert [step["step"] for step in again.steps()] == [1, 2, 3, 4]


def test_a_run_of_another_machine_goes_on_here(images, tmp_path):
    whole = trained(images, tmp_path / "whole")
    run = trained(images, tmp_path / "run", stop=2)
    run.config["device"] = "cuda:99"
    write_json(run.folder / CONFIG, run.config)
    with pytest.raises(InputError, match=r"^device 'cuda:99' cannot be used here .*; try `device` cpu$"):
        training.resume(run.folder, upkeep=QUIET)
    again = training.resume(run.folder, machine=Machine("cpu", threads=1), upkeep=QUIET)
    assert again.finished and weights(again) == weights(whole)
    assert (again.config["device"], again.config["threads"]) == ("cpu", 1)


def test_upkeep_may_change_and_does_not_touch_the_weights(images, tmp_path):
    whole = trained(images, tmp_path / "whole")
    run = trained(images, tmp_path / "run", stop=1)
    again = training.resume(run.folder, upkeep=Upkeep(preview_every=1, score_every=0, save_every=0))
    assert weights(again) == weights(whole)
    assert [path.name for path in sorted((run.folder / "previews").iterdir())] == [f"{n:06d}.png" for n in (2, 3, 4)]


def test_a_run_is_prolonged_by_what_its_length_is_measured_in(images, tmp_path):
    run = trained(images, tmp_path / "run")
    again = training.resume(run.folder, 0.028, upkeep=QUIET)
    assert again.config["settings"]["kimg"] == 0.028 and len(again.steps()) == 6
    assert {name: model.longer for name, model in MODELS.items()} == {
        "biggan": "steps",
        "progan": "kimg",
        "st-rkm": "steps",
        "vae": "steps",
    }


def test_a_run_that_cannot_go_on_stays_as_it_is(images, tmp_path):
    run = trained(images, tmp_path / "run")
    before = content(run.folder)
    with pytest.raises(InputError, match=r"a run of `train progan`, not of `train biggan`$"):
        training.resume(run.folder, model="biggan")
    with pytest.raises(InputError, match=r"^`kimg` 0\.013 is 3 steps: the run is at step 4 already; set it higher .*$"):
        training.resume(run.folder, 0.013, upkeep=QUIET)
    (images / "0.png").write_bytes((images / "1.png").read_bytes())
    with pytest.raises(InputError, match="its images have changed since the run began"):
        training.resume(run.folder)
    assert content(run.folder) == before


def test_losses_that_are_no_numbers_end_it_in_a_line_and_the_run_goes_on(images, tmp_path, monkeypatch):
    whole = trained(images, tmp_path / "whole")
    saved = Upkeep(preview_every=0, score_every=0, save_every=0)
    with monkeypatch.context() as patch:
        break_at(3, patch)
        with pytest.raises(
            Diverged, match=r"^the losses are not finite at step 3: .*; resume from the last saved state"
        ):
            trained(images, tmp_path / "run", upkeep=saved)
    run = Run.open(tmp_path / "run", training.NEEDED)
    assert not run.finished and int(run.read_state()["step"]) == 2 and len(run.steps()) == 2
    again = training.resume(run.folder, upkeep=QUIET)
    assert again.finished and weights(again) == weights(whole)


def test_a_run_that_falls_apart_before_its_first_state_leaves_nothing(images, tmp_path, monkeypatch):
    break_at(2, monkeypatch)
    with pytest.raises(Diverged):
        trained(images, tmp_path / "run", upkeep=Upkeep(preview_every=1, score_every=0, save_every=1000))
    assert not (tmp_path / "run").exists()


def test_the_sizes_of_a_network_are_read_off_its_snapshot(images, tmp_path):
    run = trained(images, tmp_path / "run", stop=1, codes=1)
    sizes = {"z_dim": 2, "width": 4, "max_width": 8, "codes": 1}
    assert snapshot_settings(run.folder) == (run.folder / SNAPSHOT, sizes)
    assert snapshot_settings(run.folder / SNAPSHOT) == (run.folder / SNAPSHOT, sizes)
    without = {name: tensor for name, tensor in load_file(run.folder / SNAPSHOT).items() if "guess" not in name}
    save_file(without, tmp_path / "without.safetensors")
    assert snapshot_settings(tmp_path / "without.safetensors")[1]["codes"] == 0


@pytest.mark.parametrize("left_out", ["average.layer0.weight", "average.output", "critic.last.0.weight"])
def test_what_is_no_snapshot_is_refused(left_out, images, tmp_path):
    run = trained(images, tmp_path / "run", stop=1)
    state = load_file(run.folder / SNAPSHOT)
    save_file({name: each for name, each in state.items() if not name.startswith(left_out)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="not a snapshot of `train progan`, which has a generator and a critic"):
        snapshot_settings(tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="no such file"):
        snapshot_settings(tmp_path / "nowhere.safetensors")


def test_fine_tuning_begins_fully_grown_with_the_snapshot(images, tmp_path):
    run = trained(images, tmp_path / "run")
    tuned = finetune(run.folder, images, out=tmp_path / "tuned", resolution=8, upkeep=QUIET, kimg=0.004,
                     batch_size=4, learning_rate=1e-9)  # fmt: skip
    start = tuned.config["start"]
    assert start["file"] == str(run.folder / SNAPSHOT) and len(start["sha256"]) == 64
    assert {step["level"] for step in tuned.steps()} == {1.0}
    before, after = (load_file(each.folder / "generator.safetensors") for each in (run, tuned))
    assert all(torch.allclose(before[name], after[name], atol=1e-3) for name in before)  # half precision
    assert json.loads((tuned.folder / "config.json").read_text())["settings"]["width"] == TINY["width"]


def test_results_that_are_missing_are_written_again_from_the_state(images, tmp_path):
    """As after a kill between the last state and the generator; `info` says what is missing until then."""
    watched = Upkeep(preview_every=4, score_every=0, save_every=1000)
    run = trained(images, tmp_path / "run", upkeep=watched)
    assert lost(run) == []
    before = content(run.folder)
    for name in ("generator.safetensors", SNAPSHOT, "previews/000004.png"):
        (run.folder / name).unlink()
    assert lost(run) == ["generator.safetensors", SNAPSHOT]
    problems: list[str] = []
    described(run.folder, problems)
    assert problems == [
        f"generator.safetensors, {SNAPSHOT} missing: train progan --resume {run.folder} writes them again"
    ]
    again = training.resume(run.folder, upkeep=watched)
    after = content(run.folder)
    assert again.finished and {path: data for path, data in after.items() if before[path] != data}.keys() <= {
        run.folder / CONFIG
    }
    assert after.keys() == before.keys() and len(again.steps()) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "stylegan"}, "trains model 'stylegan'; this version has biggan, progan"),
        ({"settings": {"colour": 1}}, "progan has no setting colour"),
        ({"threads": 0}, r"expected int >= 1, at threads"),
        ({"threads": 1e300}, r"config\.json: expected int, got float, at threads"),
        ({"device": "abacus"}, "abacus"),
        ({"data": {"kind": "x"}}, "missing required field"),
        ({"data": None}, "expected object, got null, at data"),
        ({"settings": []}, "expected object, got array, at settings"),
    ],
)
def test_a_configuration_that_was_changed_by_hand_is_refused_in_a_line(change, words, images, tmp_path):
    run = trained(images, tmp_path / "run", stop=1)
    config = read_json(run.folder / CONFIG)
    write_json(run.folder / CONFIG, {**config, **change})
    before = content(run.folder)
    with pytest.raises(InputError, match=words):
        training.resume(run.folder, upkeep=QUIET)
    assert content(run.folder) == before
