"""Training a BigGAN-deep: the layers in training, exact resume, what the package loads, and that it learns at all."""

import json

import numpy as np
import pytest
import torch
from pytorch_pretrained_biggan import BigGAN, BigGANConfig
from safetensors.torch import load, save
from torch.nn.functional import batch_norm, one_hot

from direction_finder.errors import Diverged, InputError
from direction_finder.generators import load_generator
from direction_finder.generators.networks.biggan_deep_live import NormReLU
from direction_finder.generators.networks.projection import ProjectionDiscriminator
from direction_finder.randomness import normal, stream
from direction_finder.training import biggan, loop
from direction_finder.training.biggan import BigGANConfig as Config
from direction_finder.training.state import snapshot as take_snapshot
from tests.conftest import call

SMALL = {"z_dim": 6, "channel_width": 4, "discriminator_width": 4, "batch_size": 8}
NAMES = ["red", "blue"]


def images(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Dark images with a bright square, red or blue by class, at a random place."""
    rng = np.random.default_rng(0)
    images, classes = np.full((n, 16, 16, 3), 40, np.uint8), np.arange(n) % 2
    for image, label in zip(images, classes, strict=True):
        row, column = rng.integers(0, 8, 2)
        image[row : row + 8, column : column + 8, 2 * label] = 230
    return images, classes


def train(config: Config, **given) -> biggan.Players:
    trainer = biggan.BigGANTrainer(*images(), NAMES, config, "cpu")
    loop.run(trainer, **given)
    return trainer.players


def run(steps: int, **given) -> tuple[biggan.Players, list]:
    seen = []
    settings = {name: given.pop(name) for name in list(given) if name in Config.__dataclass_fields__}
    players = train(Config(steps=steps, **{**SMALL, **settings}), on_step=seen.append, **given)
    return players, seen


@pytest.fixture(autouse=True)
def few_images_for_statistics(monkeypatch):
    monkeypatch.setattr(biggan, "MEASURED", 60)


@pytest.fixture(scope="module")
def trained():
    return run(4)


def weights(players: biggan.Players) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in players.state_dict().items()})


def test_norm_and_relu_are_those_of_torch():
    x = torch.randn(4, 6, 5, 3, dtype=torch.double).to(memory_format=torch.channels_last).requires_grad_()
    gain, offset = (torch.randn(4, 6, dtype=torch.double, requires_grad=True) for _ in range(2))
    expected = batch_norm(x, None, None, training=True, eps=1e-4)
    expected = (expected * gain[:, :, None, None] + offset[:, :, None, None]).relu()
    found, mean, variance = NormReLU.apply(x, gain, offset, 1e-4)
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.allclose(mean, x.mean((0, 2, 3))) and torch.allclose(variance, x.var((0, 2, 3), unbiased=False))
    upstream = torch.randn_like(found)
    wanted = torch.autograd.grad((expected * upstream).sum(), (x, gain, offset))
    given = torch.autograd.grad((found * upstream).sum(), (x, gain, offset))
    for a, b in zip(wanted, given, strict=True):
        assert torch.allclose(a, b, atol=1e-10)


def test_resumed_equals_uninterrupted(trained):
    players, seen = trained
    halves = []

    def stop_at_two(progress):
        halves.append(progress)
        if progress.step == 2:
            progress.stop()

    train(Config(steps=4, **SMALL), on_step=stop_at_two)
    state = load(save({name: tensor.contiguous() for name, tensor in halves[-1].state().items()}))
    again, later = run(4, resume=state)
    assert [each.step for each in later] == [3, 4]
    assert weights(again) == weights(players)
    assert later[-1].values == seen[-1].values


def test_another_seed_is_another_run(trained):
    assert weights(run(4, seed=1)[0]) != weights(trained[0])


def test_the_global_stream_is_left_alone():
    before = torch.get_rng_state()
    first = run(1)[0]
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(1)
    assert weights(run(1)[0]) == weights(first)


@torch.no_grad()
def test_the_package_loads_it_strictly_and_draws_what_was_trained(trained, tmp_path):
    players = trained[0]
    config = Config(steps=4, **SMALL)
    content = biggan.package_config(config, 16, NAMES)
    state = biggan.finished(players, config)
    model = BigGAN(BigGANConfig.from_dict(content)).eval()
    model.load_state_dict(state, strict=True)
    z = normal(biggan.MEASURED, config.z_dim, stream(config.seed, "statistics"))
    classes = torch.arange(len(z)) % 2
    expected = biggan.settled(players)(z, classes)
    assert expected.std() > 0.01
    assert torch.allclose(model(z, one_hot(classes, 2).float(), 1.0), expected, atol=1e-4)
    row = 20
    scaled = z * row / 50
    assert torch.allclose(
        model(scaled, one_hot(classes, 2).float(), 0.4), biggan.settled(players)(scaled, classes), atol=1e-4
    )
    (tmp_path / "config.json").write_text(json.dumps(content))
    torch.save(state, tmp_path / "pytorch_model.bin")
    ours = load_generator(f"biggan-deep:{tmp_path}")
    assert ours.class_names == ("red", "blue") and ours.resolution == 16
    latents = z[:8, None].expand(-1, ours.num_layers, -1)
    assert torch.allclose(ours(latents, classes[:8]), expected[:8], atol=1e-4)


@pytest.mark.parametrize("resolution", [16, 32, 64, 128])
def test_every_resolution_builds(resolution):
    content = biggan.package_config(Config(**SMALL), resolution, NAMES)
    model = BigGAN(BigGANConfig.from_dict(content)).eval()
    assert model(torch.randn(1, 6), torch.eye(2)[:1], 1.0).shape == (1, 3, resolution, resolution)


def test_other_resolutions_are_refused():
    with pytest.raises(InputError, match="images of 20 pixels: expected 16, 32"):
        biggan.package_config(Config(), 20, NAMES)


def test_a_snapshot_is_gone_on_from(trained):
    players = trained[0]
    snapshot = take_snapshot(players)
    assert sum(tensor.numel() * tensor.element_size() for tensor in snapshot.values()) < 5e5
    first = run(1, start=snapshot, averaging=0.0)[0]
    moved = first.discriminator.convs[0].weight_orig - players.discriminator.convs[0].weight_orig
    assert 0 < moved.abs().max() < 1e-2
    with pytest.raises(InputError, match="other networks"):
        run(1, start=snapshot, channel_width=6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: expected at least 1"),
        ({"averaging": 1.0}, "averaging is 1.0: expected a number below 1"),
        ({"channel_width": 5}, "even"),
        ({"batch_size": 80}, "40 images are fewer"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        run(5, **settings)


def test_losses_that_are_not_finite_end_the_training(monkeypatch):
    monkeypatch.setattr("direction_finder.training.biggan_config.check_options", lambda _: None)  # refuses such a rate
    with pytest.raises(Diverged, match="the losses are not finite at step"):
        run(5, learning_rate=1e30)


def test_the_discriminator_knows_classes_and_sees_a_batch_without_variety():
    network = ProjectionDiscriminator(16, 8, 2)
    images = torch.randn(8, 3, 16, 16)
    classes = torch.arange(8) % 2
    assert not torch.allclose(network(images, classes), network(images, 1 - classes))
    alike = images[:1].repeat(8, 1, 1, 1)
    zeros = torch.zeros(8, dtype=torch.long)
    assert not torch.allclose(network(images, zeros)[0], network(alike, zeros)[0])


def test_it_learns_the_colour_of_each_class():
    steps = 180
    _, seen = run(steps, batch_size=16, discriminator_width=8, learning_rate=1e-3, decay=0.0,
                        averaging=0.9)  # fmt: skip
    assert len(seen) == steps
    images = seen[-1].preview().clamp(-1, 1)
    assert images.shape == (16, 3, 16, 16)
    red, blue = (images[i : i + 8].mean((0, 2, 3)) for i in (0, 8))
    assert red[0] - red[2] > 0.1 and blue[2] - blue[0] > 0.1


def test_the_command(tmp_path):
    data, out = tmp_path / "data", tmp_path / "run"
    assert call("scenes", "shapes", "--num", 12, "--resolution", 16, "--workers", 1, "--out", data).exit_code == 0
    small = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    result = call("train", "biggan", data, "--out", out, "--steps", 3, "--preview-every", 2, *small)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (out / "previews").iterdir()) == ["000002.png", "000003.png"]
    assert len((out / "log.jsonl").read_text().splitlines()) == 3
    before = (out / "generator" / "pytorch_model.bin").read_bytes()
    generator = load_generator(f"biggan-deep:{out / 'generator'}")
    assert generator.class_names == ("cube", "sphere", "cylinder")
    result = call("train", "biggan", "--resume", out, "--steps", 5)
    assert result.exit_code == 0, result.stderr
    assert len((out / "log.jsonl").read_text().splitlines()) == 5
    assert (out / "generator" / "pytorch_model.bin").read_bytes() != before
    for arguments, word in [
        (["--resume", out, "--seed", 2], "leave out --seed"),
        (["--resume", out, "--steps", 4], "at step 5 already"),
        ([data, "--label", "hue"], "a number, not a class"),
        ([tmp_path], "not a data set"),
        ([], "no data"),
    ]:
        result = call("train", "biggan", *arguments)
        assert result.exit_code == 2 and word in result.stderr, result.stderr
    full = load_generator(f"biggan-deep:{out / 'generator'}")
    assert call("train", "biggan", "--resume", out, "--half").exit_code == 0
    half = load_generator(f"biggan-deep:{out / 'generator'}")
    latents = normal(2, full.dim, stream(0, "test"))[:, None].expand(-1, full.num_layers, -1)
    difference = (full(latents, torch.tensor([0, 1])) - half(latents, torch.tensor([0, 1]))).abs().max()
    assert 0 < difference < 0.02
    again = tmp_path / "again"
    result = call(
        "train", "biggan", data, "--out", again, "--steps", 1, *small, "--start", out / "snapshot.safetensors"
    )
    assert result.exit_code == 0, result.stderr
