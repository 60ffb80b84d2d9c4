"""Trained autoencoders: runs, files, generators."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import direction_finder as df
from direction_finder.datasets import read_images
from direction_finder.errors import Diverged, InputError
from direction_finder.images import as_images
from direction_finder.runs import training
from direction_finder.runs.folder import absolute
from direction_finder.runs.trainers import Upkeep, lost
from direction_finder.scenes import make
from direction_finder.training.autoencoder import gaussian, halvings
from direction_finder.training.autoencoder_config import REGULARISERS, StRKMConfig, VAEConfig
from direction_finder.training.st_rkm import StRKMTrainer
from direction_finder.training.vae import VAETrainer
from tests.conftest import call

SMALL = {"steps": 30, "batch_size": 16, "width": 4, "hidden": 16, "learning_rate": 0.01}
SIZES = {"st-rkm": {"columns": 3, "features": 6}, "vae": {"z_dim": 3, "regulariser": "none"}}
OFTEN = Upkeep(preview_every=5, save_every=0)


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "sprites"
    make("sprites", folder, num=120, resolution=16, workers=1)
    return folder


@pytest.fixture(scope="module", params=SIZES)
def trained(request, sprites, tmp_path_factory):
    """A finished run of each kind."""
    out = tmp_path_factory.mktemp("runs") / request.param
    return df.train(request.param, sprites, out=out, upkeep=OFTEN, **SMALL | {"steps": 60}, **SIZES[request.param])


def spec(run) -> str:
    return f"{run.config['model']}:{run.folder / 'generator.safetensors'}"


def content(folder) -> dict[str, bytes]:
    names = [path for path in folder.rglob("*") if path.is_file() and path.name != "config.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in names}


def test_a_run_leaves_its_results(trained):
    assert {"columns.safetensors", "generator.safetensors", "log.jsonl", "state.safetensors"} <= content(
        trained.folder
    ).keys()
    entries = [json.loads(line) for line in (trained.folder / "log.jsonl").read_text().splitlines()]
    assert entries[-1]["held_out_error"] < 0.95 * entries[0]["held_out_error"]


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(trained, sprites, tmp_path):
    model, settings = trained.config["model"], {**SMALL, **SIZES[trained.config["model"]]}
    whole = df.train(model, sprites, out=tmp_path / "whole", upkeep=OFTEN, **settings)
    stop = lambda progress: progress.stop() if progress.step == 17 else None  # noqa: E731
    part = df.train(model, sprites, out=tmp_path / "part", upkeep=OFTEN, progress=stop, **settings)
    assert not part.finished
    training.resume(part.folder, upkeep=OFTEN)
    expected, got = content(whole.folder), content(part.folder)
    del expected["columns.safetensors"], got["columns.safetensors"], got["previews/000017.png"]  # they name the file
    assert got == expected


def test_lost_results_are_named_and_written_again(trained, tmp_path):
    folder = shutil.copytree(trained.folder, tmp_path / "copy")
    before = content(folder)
    for name in ("generator.safetensors", "columns.safetensors"):
        (folder / name).unlink()
    run = training.resume(folder, upkeep=OFTEN)
    assert not lost(run)
    assert content(folder)["generator.safetensors"] == before["generator.safetensors"]


def test_the_decoder_is_a_generator_with_every_privilege(trained):
    generator = df.load_generator(spec(trained))
    samples = generator.samples(500)
    assert generator(samples).shape == (500, 3, 16, 16)
    spread = samples.latents[:, 0].std(0)
    assert generator.scale == pytest.approx(float(spread.square().mean().sqrt()), rel=0.15)
    columns = df.Directions.load(trained.folder / "columns.safetensors")
    assert columns.weights_sha256 == generator.weights_sha256
    limits = torch.tensor(columns.ranges) * generator.scale
    assert limits[0] == pytest.approx(2 * float(spread[0]), rel=0.2)
    ranking = df.rank(generator, df.find(generator, points=8), samples=4)
    assert len(ranking.directions) == 3


@pytest.mark.parametrize("trained", ["st-rkm"], indirect=True)
def test_latents_of_an_st_rkm_are_uncorrelated_and_its_columns_orthonormal(sprites, trained):
    generator = df.load_generator(spec(trained))
    images = read_images(sprites)[0]
    trainer = StRKMTrainer(images, StRKMConfig(**SMALL | {"steps": 60}, **SIZES["st-rkm"]), "cpu")
    codes = generator.encode(2 * (trainer.pixels.float() / 255).expand(-1, 3, -1, -1) - 1).double()
    covariance = torch.cov(codes.mT)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-5 * covariance.max()
    rows = generator.network.rows
    torch.testing.assert_close(rows @ rows.mT, torch.eye(3), rtol=0, atol=1e-5)


def test_encoding_then_generating_is_the_reconstruction(sprites, trained):
    generator = df.load_generator(spec(trained))
    images = as_images(torch.from_numpy(read_images(sprites)[0]))
    again = generator(generator.encode(images)[:, None])
    mean = images.mean(0)
    assert (again - images).square().sum() < 0.95 * (images - mean).square().sum()
    with pytest.raises(InputError, match=r"expects \(batch, 3, 16, 16\)"):
        generator.encode(images[..., :8])


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_every_regulariser_trains(regulariser, sprites, tmp_path):
    settings = {**SMALL, "steps": 80, "z_dim": 3, "regulariser": regulariser, "beta": 0.01, "gamma": 0.1}
    run = df.train("vae", sprites, out=tmp_path / "run", **settings)
    entries = [json.loads(line) for line in run.log.read_text().splitlines()]
    assert entries[-1]["held_out_error"] < entries[0]["held_out_error"]
    generator = df.load_generator(spec(run))
    latents = generator.samples(2000).latents[:, 0]
    root = torch.eye(3) if regulariser in ("beta", "factor") else generator.network.latent_root
    covariance = root @ root.mT
    torch.testing.assert_close(torch.cov(latents.mT), covariance, rtol=0, atol=float(0.15 * covariance.max()))


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_the_seed_decides_every_weight(regulariser, sprites):
    images, weights = read_images(sprites)[0], []
    for _ in range(2):
        trainer = VAETrainer(images, VAEConfig(**SMALL, z_dim=3, regulariser=regulariser), "cpu")
        trainer.step(1, torch.Generator().manual_seed(1))
        weights.append(trainer.players.state_dict())
        torch.rand(1)  # whatever else draws from the global stream
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name


def test_a_gaussian_has_the_mean_and_the_covariance_of_the_latents():
    latents = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) @ torch.arange(16.0).view(4, 4)
    mean, root = gaussian(latents)
    torch.testing.assert_close(mean, latents.mean(0))
    torch.testing.assert_close(root @ root.mT, torch.cov(latents.mT, correction=0), rtol=1e-4, atol=1e-3)
    assert not root.triu(1).any()


def test_a_fixed_u_does_not_move(sprites):
    images = read_images(sprites)[0]
    settings = {**SMALL, **SIZES["st-rkm"]}
    moved = []
    for rate in (0.0, 0.02):
        trainer = StRKMTrainer(images, StRKMConfig(**settings, column_rate=rate), "cpu")
        before = trainer.players.columns.rows.detach().clone()
        for step in range(1, 4):
            trainer.step(step, torch.Generator().manual_seed(step))
        moved.append(not torch.equal(before, trainer.players.columns.rows))
    assert moved == [False, True]


@pytest.mark.parametrize(("side", "count"), [(28, 2), (32, 3), (40, 3), (64, 4), (8, 1)])
def test_how_often_a_side_is_halved(side, count):
    assert halvings(side) == count


def one_image(folder):
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "0.png")
    return folder


BAD = {  # settings, and a part of the one line that says what is wrong
    "more columns than features": ("st-rkm", {"columns": 7, "features": 6}, "columns is 7: U has at most as many"),
    "no columns": ("st-rkm", {"columns": 0}, "columns is 0: expected at least 1"),
    "an unknown loss": ("st-rkm", {"loss": "huber"}, "loss is 'huber': expected one of deterministic"),
    "noise below 0": ("st-rkm", {"noise": -1.0}, "noise is -1.0: expected at least 0"),
    "an unknown regulariser": ("vae", {"regulariser": "l2"}, "regulariser is 'l2': expected one of full"),
    "no beta": ("vae", {"beta": 0.0}, "beta is 0.0: expected a number above 0"),
    "NaN": ("vae", {"learning_rate": float("nan")}, "learning_rate is nan: expected a finite number"),
    "all held out": ("vae", {"held_out": 1.0}, "held_out is 1.0: expected a number below 1"),
    "a batch of more": ("vae", {"batch_size": 500}, "fewer than a batch of 500"),
    "sizes that do not divide": ("vae", {"resolution": 30, "batch_size": 16}, "resolution is 30: an autoencoder needs"),
    "another model's setting": ("vae", {"columns": 3}, "vae has no setting columns"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_get_one_line(case, sprites, tmp_path):
    model, settings, message = BAD[case]
    with pytest.raises(InputError) as caught:
        df.train(model, sprites, out=tmp_path / "run", **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_one_image_is_too_few(tmp_path):
    with pytest.raises(InputError, match=r"^1 images: an autoencoder needs at least 20; give more$"):
        df.train("vae", one_image(tmp_path / "one"), out=tmp_path / "run", resolution=16)


def test_a_collapsed_run_ends_with_one_line(sprites, tmp_path):
    with pytest.raises(Diverged, match=r"^images are decoded no better .* than by the mean image .* at step 2: "):
        df.train("vae", sprites, out=tmp_path / "run", **SMALL | {"steps": 2, "learning_rate": 1e-9})


@pytest.mark.parametrize("model", SIZES)
def test_losses_that_are_not_finite_end_with_one_line(model, sprites, tmp_path):
    with pytest.raises(Diverged, match=r"^the losses are not finite at step"):
        df.train(model, sprites, out=tmp_path / "run", **SMALL | {"steps": 300, "learning_rate": 1e6}, **SIZES[model])


def test_identical_images_leave_nothing_to_learn(tmp_path):
    folder = tmp_path / "same"
    folder.mkdir()
    for index in range(30):
        Image.new("RGB", (16, 16), (9, 9, 9)).save(folder / f"{index}.png")
    with pytest.raises(Diverged, match="no better"):
        df.train("vae", folder, out=tmp_path / "run", resolution=16, **SMALL)


def broken(run, path, change):
    state = load_file(run.folder / "generator.safetensors")
    change(state)
    save_file(state, path)
    return path


DAMAGE = {
    "a weight is missing": (lambda state: state.pop("decoder.hidden.bias"), "weight decoder.hidden.bias is missing"),
    "no background": (lambda state: state.pop("decoder.background"), "not an autoencoder"),
    "another size": (
        lambda state: state.update({"decoder.hidden.weight": torch.zeros(3, 16)}),
        "which fits no image",
    ),
    "not numbers": (lambda state: state["latent_mean"].fill_(float("nan")), "NaN"),
    "one dimension too few": (lambda state: state.update({"decoder.first.weight": torch.zeros(16)}), "dimensions"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_files_get_one_line(case, trained, tmp_path):
    change, message = DAMAGE[case]
    path = broken(trained, tmp_path / "broken.safetensors", change)
    with pytest.raises(InputError) as caught:
        df.load_generator(f"{trained.config['model']}:{path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_the_other_model_is_named(trained):
    model = trained.config["model"]
    other = {"st-rkm": "vae", "vae": "st-rkm"}[model]
    with pytest.raises(InputError, match=f"made by `train {model}`; give it as {model}:"):
        df.load_generator(f"{other}:{trained.folder / 'generator.safetensors'}")


@pytest.mark.parametrize("trained", ["st-rkm"], indirect=True)
def test_rows_that_are_not_orthonormal_are_refused(trained, tmp_path):
    path = broken(trained, tmp_path / "broken.safetensors", lambda state: state["rows"].mul_(2))
    with pytest.raises(InputError, match="not orthonormal"):
        df.load_generator(f"st-rkm:{path}")


def test_grey_images_have_one_channel(sprites, trained):
    assert len(df.load_generator(spec(trained)).network.decoder.background) == 1
    images = read_images(sprites)[0].copy()
    images[0, 0, 0, 0] = 7
    assert StRKMTrainer(images, StRKMConfig(**SMALL), "cpu").widths[0] == 3
    assert np.array_equal(images[..., 1], images[..., 2])


def test_the_commands_train_resume_and_refuse(sprites, tmp_path):
    small = ("--steps", 30, "--batch-size", 16, "--width", 4, "--hidden", 16, "--learning-rate", 0.01)
    out = tmp_path / "run"
    result = call("train", "st-rkm", sprites, *small, "--columns", 3, "--features", 6, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert f"learn --generator st-rkm:{out}/generator.safetensors" in result.stderr
    result = call("train", "st-rkm", "--resume", out, "--steps", 32)
    assert result.exit_code == 0, result.stderr
    result = call("train", "vae", "--resume", out)
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {out}: a run of `train st-rkm`, not of `train vae`\n",
    )
    result = call("train", "st-rkm", sprites, "--columns", 60, "--out", tmp_path / "other")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: columns is 60: U has at most as many orthonormal columns")
    shown = call(
        "render", "grid", out / "columns.safetensors", "--samples", 1, "--steps", 3, "--out", tmp_path / "g.png"
    )
    assert shown.exit_code == 0, shown.stderr


def test_a_snapshot_is_not_for_autoencoders(sprites, tmp_path):
    with pytest.raises(InputError, match="only biggan and progan begin with a snapshot"):
        df.train("vae", sprites, start=tmp_path / "snapshot.safetensors", out=tmp_path / "run")


@pytest.mark.parametrize("model", SIZES)
def test_runs_name_their_generator_by_an_absolute_path(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute(f"{model}:some/file.safetensors") == f"{model}:{tmp_path / 'some/file.safetensors'}"
