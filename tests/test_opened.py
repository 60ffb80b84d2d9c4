"""A run that somebody has, of every verb that makes one: what it holds, how it goes on, what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

import direction_finder as df
from direction_finder.runs.opened import OpenRun, open_run
from direction_finder.runs.trainers import Upkeep
from tests.conftest import NUM_CLASSES, call
from tests.planted import planted

LOOP = {"batch_size": 2, "share_points": 0, "score_samples": 0}
TINY = {
    "z_dim": 2,
    "width": 4,
    "max_width": 4,
    "batch_size": 4,
    "fade_kimg": 0.004,
    "stable_kimg": 0.004,
    "kimg": 0.016,
}


def stop(progress) -> None:
    progress.stop()


@pytest.fixture
def trained(tmp_path) -> OpenRun:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(8):
        Image.effect_noise((8, 8), 20 * number).convert("RGB").save(images / f"{number}.png")
    quiet = Upkeep(preview_every=0, score_every=0)
    given = {"resolution": 8, "upkeep": quiet, "progress": stop, **TINY}
    return open_run(df.train("progan", images, out=tmp_path / "trained", **given).folder)


@pytest.fixture
def imported(tmp_path) -> OpenRun:
    np.save(tmp_path / "rows.npy", np.eye(6, dtype=np.float32)[:4])
    assert call("import", tmp_path / "rows.npy", "--out", tmp_path / "imported").exit_code == 0
    return open_run(tmp_path / "imported")


def test_a_run_of_learn(run_folder):
    run = open_run(str(run_folder))
    assert run.finished and run.directions == df.Directions.load(run_folder) and run.short_list == []
    generator = run.generator(device="cpu")
    assert generator.weights_sha256 == run.directions.weights_sha256 and generator.num_classes == NUM_CLASSES


def test_a_run_of_learn_that_has_found_nothing_yet(run_folder):
    (run_folder / "directions.safetensors").unlink()
    for asked in (lambda run: run.directions, lambda run: run.short_list, lambda run: run.generator()):
        with pytest.raises(df.Unfinished, match="no directions yet"):
            asked(open_run(run_folder))


def test_a_run_of_train(trained):
    assert not trained.finished and trained.generator().dim == TINY["z_dim"]
    with pytest.raises(df.Unfinished):
        _ = trained.directions
    other = call("info", trained.folder)
    assert "training run" in other.stdout


def test_a_run_of_import(imported, dcgan_file):
    assert imported.finished and len(imported.directions) == 4 and imported.steps() == []
    with pytest.raises(df.InputError, match="not bound to a generator; name one with `generator`"):
        imported.generator()
    with pytest.raises(df.InputError, match="has no 'threads'"):
        imported.resume()
    with pytest.raises(df.InputError, match="6 dimensions but generator dcgan:small has 9"):
        imported.generator(f"dcgan:{dcgan_file}")


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(df.InputError, match="not a run folder"):
        open_run(tmp_path)


def test_latest(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    run_folder.rename(tmp_path / "outputs" / "00001-run")
    assert open_run("latest").folder.name == "00001-run" and len(open_run("latest").directions) == 6


def test_a_run_of_learn_goes_on(run_folder):
    run = open_run(run_folder)
    longer = run.resume(steps=3, device="cpu")
    assert isinstance(longer, OpenRun) and longer.finished and longer.config["settings"]["steps"] == 3
    assert [step["step"] for step in longer.steps()] == [1, 2, 3] and len(longer.directions) == 6
    assert not open_run(run_folder).resume(steps=5, progress=stop).finished
    with pytest.raises(df.InputError, match="leave out `kimg`, `points`"):
        open_run(run_folder).resume(kimg=3, points=9)


def test_a_run_of_a_module_goes_on_with_the_generator_at_hand(tmp_path):
    run = df.learn(planted(6), "hessian", steps=3, out=tmp_path / "run", progress=stop, **LOOP)
    with pytest.raises(df.InputError, match="name one with `generator`"):
        open_run(run.folder).resume()
    resumed = open_run(run.folder).resume(generator=planted(6))
    assert resumed.finished
    assert torch.equal(resumed.directions.vectors, df.find(planted(6), "hessian", steps=3, **LOOP).vectors)


def test_a_run_of_train_goes_on(trained):
    resumed = trained.resume(progress=stop)
    assert [step["step"] for step in resumed.steps()] == [1, 2]
    assert open_run(trained.folder).resume(kimg=0.02).config["settings"]["kimg"] == 0.02
    assert open_run(trained.folder).finished


@pytest.mark.parametrize(
    ("given", "name"),
    [({"steps": 3}, "steps"), ({"kimg": 1.0, "seed": 2}, "seed"), ({"generator": planted(2)}, "generator")],
)
def test_a_run_of_train_takes_no_other_argument(given, name, trained):
    before = {path: path.read_bytes() for path in trained.folder.iterdir()}
    with pytest.raises(TypeError, match=rf"unexpected argument '{name}'$"):
        trained.resume(**given)
    assert {path: path.read_bytes() for path in trained.folder.iterdir()} == before


def test_a_value_of_the_log_is_drawn_over_steps_or_over_images_shown(run_folder, trained):
    run = open_run(run_folder)
    axes = run.plot("penalty")
    (line,) = axes.lines
    assert line.get_xdata().tolist() == [1, 2] and line.get_ydata().tolist() == [
        step["penalty"] for step in run.steps()
    ]
    assert (axes.get_xlabel(), axes.get_title()) == ("step", "penalty")
    assert trained.plot("distance", ax=axes) is axes and axes.get_xlabel() == "kimg"
    assert axes.lines[1].get_xdata().tolist() == [step["kimg"] for step in trained.steps()]


def test_a_value_that_the_log_does_not_hold_is_refused_with_those_it_holds(run_folder, imported):
    with pytest.raises(df.InputError, match=r"the log has no 'loss'; it has step, penalty, "):
        open_run(run_folder).plot("loss")
    with pytest.raises(df.InputError, match=r"it has nothing$"):
        imported.plot("penalty")
