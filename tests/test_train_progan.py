"""Training a ProGAN: its losses against closed forms, its growth, exact resume in the middle of a ramp, that it learns
at all, and what fine-tuning starts from."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import islice, pairwise
from math import ceil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save
from torch import nn

from direction_finder.datasets import read_images
from direction_finder.errors import Diverged, InputError
from direction_finder.generators import load_generator
from direction_finder.generators.networks.progan import ProGAN
from direction_finder.images import as_images
from direction_finder.metrics.reference import Reference
from direction_finder.penalty import hessian_penalty
from direction_finder.randomness import normal, stream
from direction_finder.training import growth, progan, progan_losses
from direction_finder.training.growth import Place
from direction_finder.training.progan_config import ProGANConfig
from direction_finder.training.state import follow, snapshot
from tests.conftest import call

SMALL = {"z_dim": 5, "width": 4, "max_width": 8, "batch_size": 4, "fade_kimg": 0.02, "stable_kimg": 0.02, "kimg": 0.16}


def coloured_squares(n: int = 40, side: int = 16) -> np.ndarray:
    """A bright square of one of many colours at a random place, on dark grey."""
    rng = np.random.default_rng(0)
    images = np.full((n, side, side, 3), 40, np.uint8)
    for image in images:
        row, column = rng.integers(0, side // 2, 2)
        image[row : row + side // 2, column : column + side // 2] = rng.integers(60, 255, 3)
    return images


def run(images: np.ndarray | None = None, **given) -> tuple[progan.Players, list]:
    seen = []
    settings = {name: given.pop(name) for name in list(given) if name in ProGANConfig.__dataclass_fields__}
    config = ProGANConfig(**{**SMALL, **settings})
    given.setdefault("on_step", seen.append)
    return progan.train(coloured_squares() if images is None else images, config, **given), seen


def weights(players: progan.Players) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in players.state_dict().items()})


class Quadratic(nn.Module):
    """A critic whose gradient is known: (a . x, nothing guessed), a of a given length."""

    def __init__(self, length: float):
        super().__init__()
        a = torch.randn(3, 4, 4, dtype=torch.double, generator=torch.Generator().manual_seed(0))
        self.a = nn.Parameter(length * a / a.norm())

    def forward(self, images, _grown):
        return (images * self.a).sum((1, 2, 3)), None


def test_gradient_penalty_is_the_closed_form(rng):
    real, drawn = (torch.randn(4, 3, 4, 4, dtype=torch.double, generator=rng) for _ in range(2))
    for length in (0.2, 1.0, 3.0):
        critic = Quadratic(length)
        found = progan_losses.gradient_penalty(critic, real, drawn, 0.0, rng)
        assert found.item() == pytest.approx((length - 1) ** 2, abs=1e-9)
        (slope,) = torch.autograd.grad(found, critic.a)
        expected = 2 * (length - 1) * critic.a / length
        assert torch.allclose(slope, expected, atol=1e-9)


def test_the_plan_shows_what_was_asked():
    config = ProGANConfig(kimg=1.0, fade_kimg=0.1, stable_kimg=0.2, batch_size=4, largest_batch=16)
    phases = growth.plan(config, 4, grown=False)
    assert [(each.level, each.fading, each.batch) for each in phases] == [
        (0, False, 16), (1, True, 16), (1, False, 16), (2, True, 8), (2, False, 8), (3, True, 4), (3, False, 4),
    ]  # fmt: skip
    assert [each.steps for each in phases[:6]] == [ceil(200 / 16), ceil(100 / 16), 13, ceil(100 / 8), 25, 25]
    total = sum(each.steps for each in phases)
    last = growth.place(phases, total)
    assert last.grown == 3 and 1000 <= last.shown + last.batch < 1004
    places = [growth.place(phases, step) for step in range(1, total + 1)]
    assert all(a.shown + a.batch == b.shown and a.grown <= b.grown for a, b in pairwise(places))
    assert places[0] == Place(0.0, 16, 0) and places[13].grown == pytest.approx(1 / 7)
    assert {growth.place(growth.plan(config, 4, grown=True), step).grown for step in (1, 250)} == {3.0}
    with pytest.raises(InputError, match="growing takes"):
        growth.plan(ProGANConfig(kimg=0.5, fade_kimg=0.1, stable_kimg=0.2, batch_size=4), 4, grown=False)


def test_the_ramp_is_linear_in_what_was_shown_and_lazy_steps_weigh_as_much():
    config = ProGANConfig(penalty_weight=0.4, ramp_kimg=2.0)
    at = [progan_losses.penalty_weight(config, 1, Place(3.0, 16, shown)) for shown in (0, 500, 2000, 9000)]
    assert at == pytest.approx([0.0, 0.1, 0.4, 0.4])
    lazy = ProGANConfig(penalty_weight=0.4, penalty_every=4)
    place = Place(3.0, 16, 0)
    assert [progan_losses.penalty_weight(lazy, step, place) for step in (1, 2, 3, 4)] == pytest.approx([0, 0, 0, 1.6])
    assert progan_losses.penalty_weight(ProGANConfig(), 1, place) == 0


def test_layers_of_the_paper_are_the_default():
    assert ProGANConfig().penalised(4) == [1, 2, 3, 4, 5, 6]  # 32 pixels
    assert ProGANConfig().penalised(6) == list(range(1, 11))  # 128 pixels
    assert ProGANConfig(penalty_layers=(2, 3)).penalised(4) == [2, 3]
    with pytest.raises(InputError, match="penalty_layers 7-9: the generator has layers 1 to 8"):
        ProGANConfig(penalty_layers=(7, 9)).penalised(4)


def small_network() -> ProGAN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ProGAN(3, (6, 6)).double()


@torch.no_grad()
@pytest.mark.parametrize("reduction", ["max", "batch-max", "mean"])
def test_the_penalty_is_that_of_the_hessians(reduction, rng):
    """Independently: mixed second differences of all activations, squared and added."""
    network, z = small_network(), torch.randn(2, 3, dtype=torch.double, generator=rng)
    layers = [1, 2, 3]
    unit, h = torch.eye(3, dtype=torch.double), 1e-5  # small: a leaky ReLU has a bend
    config = ProGANConfig(z_dim=3, penalty_reduction=reduction, epsilon=h)

    def activations(rows):
        return [tensor for _, tensor in islice(network.stages(rows, 1.0), 3)]

    exact = [torch.zeros_like(each) for each in activations(z)]
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        corners = [activations(z + h * (a * unit[i] + b * unit[j])) for a, b in [(1, 1), (1, -1), (-1, 1), (-1, -1)]]
        for number, (pp, pm, mp, mm) in enumerate(zip(*corners, strict=True)):
            exact[number] += 4 * ((pp - pm - mp + mm) / (4 * h * h)).square()  # twice the squares of both halves
    # with every probe of {-1, 1}^3 once, the variance is exact, not an estimate
    probes = torch.tensor([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=torch.double)
    probes = probes[:, None].expand(8, 2, 3)
    found = hessian_penalty(activations, z, probes=probes, epsilon=h, unbiased=False)
    for a, b in zip(found, exact, strict=True):
        assert torch.allclose(a, b, atol=1e-4 * float(b.abs().max()))
    expected = sum(progan_losses.reduced(each, reduction) for each in exact)
    several = [
        progan_losses.penalty_of(network, z, 1.0, layers, config, torch.Generator().manual_seed(seed))
        for seed in range(200)
    ]
    mean = torch.stack(several).mean()
    assert mean > 0.5 * expected if reduction != "mean" else mean == pytest.approx(expected.item(), rel=0.15)


def test_gradients_of_the_penalty_through_activations(rng):
    """Against finite differences of a weight, in double precision."""
    network, z = small_network(), torch.randn(2, 3, dtype=torch.double, generator=rng)
    config = ProGANConfig(z_dim=3, penalty_reduction="mean")

    def penalty() -> torch.Tensor:
        return progan_losses.penalty_of(network, z, 1.0, [1, 2, 3, 4], config, torch.Generator().manual_seed(1))

    weight = network.layer2.weight
    (slope,) = torch.autograd.grad(penalty(), weight)
    with torch.no_grad():
        for index in [(0, 0, 0, 0), (3, 2, 1, 1), (5, 5, 2, 0)]:
            before = weight[index].item()
            values = []
            for change in (1e-6, -1e-6):
                weight[index] = before + change
                values.append(penalty().item())
            weight[index] = before
            assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope[index].item(), rel=1e-4, abs=1e-6)


@torch.no_grad()
def test_a_layer_that_fades_in_counts_as_far_as_it_has(rng):
    network = small_network()
    z = torch.randn(2, 3, dtype=torch.double, generator=rng)
    config = ProGANConfig(z_dim=3)

    def penalty(grown, layers):
        return progan_losses.penalty_of(network, z, grown, layers, config, torch.Generator().manual_seed(2))

    low, high = penalty(1.0, [1]), penalty(1.0, [3])
    assert penalty(0.0, [3]) == 0
    assert penalty(0.25, [3]) == pytest.approx(0.25 * high.item())
    assert penalty(0.25, [1]) == pytest.approx(low.item())


def test_real_images_are_as_smooth_as_drawn_ones():
    images = as_images(torch.from_numpy(coloured_squares(4, 32)))
    assert torch.equal(growth.at_level(images, 3.0), images)
    assert growth.at_level(images, 1.0).shape[-1] == 8
    blocks = images.unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean((3, 5))
    assert torch.allclose(growth.at_level(images, 2.0), blocks, atol=1e-6)
    half = growth.at_level(images, 2.5)
    assert torch.allclose(half, (images + blocks.repeat_interleave(2, 2).repeat_interleave(2, 3)) / 2, atol=1e-6)


@pytest.fixture(scope="module")
def ramped():
    return run(penalty_weight=0.01, ramp_kimg=0.15, mirror=True, codes=2)


def test_resumed_in_the_middle_of_a_ramp_equals_uninterrupted(ramped):
    players, seen = ramped
    for at in (3, 17, len(seen) - 4):  # while 4x4 is trained, while a level fades in, fully grown
        halves = []

        def stop(progress, at=at, halves=halves):
            halves.append(progress)
            if progress.step == at:
                progress.stop()

        run(penalty_weight=0.01, ramp_kimg=0.15, mirror=True, codes=2, on_step=stop)
        assert len(halves) == at
        again, later = run(penalty_weight=0.01, ramp_kimg=0.15, mirror=True, codes=2, resume=halves[-1].state())
        assert weights(again) == weights(players)
        assert [each.values for each in later] == [each.values for each in seen[at:]]
    risen = [each.values["penalty_weight"] for each in seen]
    assert risen[0] == 0 and risen == sorted(risen) and risen[-1] == 0.01
    assert seen[-1].values["penalty"] > 0 and "penalty" not in seen[0].values


def test_what_is_kept_is_a_generator(ramped, tmp_path):
    players, seen = ramped
    path = tmp_path / "g.safetensors"
    path.write_bytes(save(seen[-1].weights()))
    generator = load_generator(f"progan:{path}")
    z = normal(3, 5, stream(0, "test"))
    assert torch.allclose(generator(z[:, None]), players.average(z, 2.0), atol=1e-6)
    path.write_bytes(save(seen[0].weights()))
    assert load_generator(f"progan:{path}").grown == 0
    assert seen[-1].preview().shape == (8 + 5 * 8, 3, 16, 16)


def test_the_average_has_its_half_life(rng):
    players = progan.Players(ProGANConfig(**SMALL), 2)
    with torch.no_grad():
        for average, now in zip(players.average.parameters(), players.generator.parameters(), strict=True):
            average.zero_(), now.fill_(1.0)
    for _ in range(10):
        follow(players.average, players.generator, 0.5 ** (16 / 160))
    assert all(torch.allclose(each, torch.full_like(each, 0.5), atol=1e-5) for each in players.average.parameters())


def test_fine_tuning_starts_from_a_snapshot(ramped):
    players, _ = ramped
    kept = snapshot(players)
    first = []
    run(start=kept, grown=True, codes=2, kimg=0.004, on_step=first.append, learning_rate=1e-9)
    expected = {name.removeprefix("average."): each for name, each in kept.items() if name.startswith("average.")}
    found = first[0].weights()
    assert first[0].values["level"] == 2
    assert all(torch.allclose(found[name], each.float(), atol=1e-4) for name, each in expected.items() if name != "lod")
    with pytest.raises(InputError, match="of other networks"):
        run(start=kept, grown=True, codes=2, width=6)


def test_infogan_guesses_what_the_generator_sees():
    """The target is z after its pixel norm, which divides the length away: it cannot be guessed."""
    _, seen = run(codes=3, code_weight=5.0, kimg=1.5, batch_size=8, learning_rate=3e-3)
    missed = [each.values["info_loss"] for each in seen]
    assert np.mean(missed[-20:]) < 0.8 * np.mean(missed[:20])


def test_training_that_falls_apart_is_stopped():
    with pytest.raises(Diverged, match="not finite at step"):
        run(learning_rate=1e9)
    with pytest.raises(Diverged, match="scores are all the same"):
        progan_flat = np.full((40, 16, 16, 3), 7, np.uint8)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(progan, "FLAT", 1e9)
            patch.setattr(progan, "FLAT_STEPS", 5)
            run(progan_flat)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kimg": 0.0}, "kimg is 0.0: expected a number above 0"),
        ({"codes": 6}, "codes is 6: z has 5 components"),
        ({"penalty_reduction": "sum"}, "expected one of max, batch-max, mean"),
        ({"batch_size": 52}, "40 images are fewer than a batch of 52"),
        ({"batch_size": 6}, "batch_size is 6: expected a multiple of 4"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        run(**settings)
    with pytest.raises(InputError, match="images of 20 pixels"):
        run(np.zeros((40, 20, 20, 3), np.uint8))


def test_it_learns():
    """16x16 in half a minute: the critic's distance falls, and images get the data's mean and spread of colour."""
    images = coloured_squares(400)
    seen = []
    players, _ = run(
        images, z_dim=8, width=16, max_width=16, batch_size=16, largest_batch=16, fade_kimg=1.0, stable_kimg=1.0,
        kimg=11.0, average_kimg=1.0, on_step=lambda progress: seen.append(progress.values),
    )  # fmt: skip
    grown = [each["distance"] for each in seen if each["level"] == 2]
    assert np.mean(grown[-100:]) < 0.85 * max(np.mean(grown[at : at + 100]) for at in range(0, len(grown) - 100, 50))
    with torch.no_grad():
        drawn = players.average(normal(400, 8, stream(1, "test")), 2.0).clamp(-1, 1)
        untrained = progan.Players(ProGANConfig(**SMALL), 3).average(normal(400, 5, stream(1, "test")), 2.0)
    real = as_images(torch.from_numpy(images))

    def figures(each):
        colours = each.mean((2, 3))  # of a whole image
        return torch.cat([colours.mean(0), colours.std(0)])

    assert (figures(drawn) - figures(real)).abs().max() < 0.1
    assert (figures(untrained.clamp(-1, 1)) - figures(real)).abs().max() > 0.2


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(coloured_squares(24)):
        Image.fromarray(np.pad(image, ((0, 0), (3, 3), (0, 0)))).save(folder / f"{number}.png")
    return folder


FLAGS = [argument for name, value in SMALL.items() for argument in (f"--{name.replace('_', '-')}", value)]


def test_the_commands(data, tmp_path):
    out = tmp_path / "run"
    flags = [*FLAGS, "--resolution", 16, "--score-every", 0]
    result = call("train", "progan", data, "--out", out, *flags, "--preview-every", 20)
    assert result.exit_code == 0, result.stderr
    logged = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert logged[-1]["kimg"] >= 0.16 and logged[-1]["level"] == 2 and "seconds_per_kimg" in logged[-1]
    assert (out / "previews" / "000020.png").is_file()
    generator = load_generator(f"progan:{out / 'generator.safetensors'}")
    assert (generator.dim, generator.resolution) == (5, 16)
    with (out / "log.jsonl").open("a") as log:
        log.write('{"step": 9')  # a killed run's last line
    assert call("page", out).exit_code == 0
    page = (out / "index.html").read_text()
    assert "ProGAN trained on" in page and 'role="slider"' in page and "curves.png" in page
    with Image.open(out / "curves.png") as drawn:
        assert np.asarray(drawn.convert("L")).std() > 10

    longer = call("train", "progan", "--resume", out, "--kimg", 0.2, "--score-every", 0, "--device", "cpu")
    assert longer.exit_code == 0, longer.stderr
    shorter = call("train", "progan", "--resume", out, "--kimg", 0.1)
    assert shorter.exit_code == 2
    assert json.loads((out / "config.json").read_text())["settings"]["kimg"] == 0.2

    tuned = tmp_path / "tuned"
    flags = ["--resolution", 16, "--kimg", 0.02, "--batch-size", 4, "--penalty-weight", 0.01, "--ramp-kimg", 0.01]
    result = call("finetune", out, data, *flags, "--score-every", 0.008, "--score-samples", 8, "--out", tuned)
    assert result.exit_code == 0, result.stderr
    config = json.loads((tuned / "config.json").read_text())
    assert config["settings"]["z_dim"] == 5 and config["settings"]["width"] == 4 and config["start"]["sha256"]
    logged = [json.loads(line) for line in (tuned / "log.jsonl").read_text().splitlines()]
    assert logged[0]["level"] == 2 and logged[-1]["penalty_weight"] == 0.01 and logged[-1]["penalty"] > 0
    scored = {each["kimg"]: each["frechet"] for each in logged if "frechet" in each}
    assert list(scored) == [0.008, 0.016, 0.02] and min(scored.values()) > 0
    best = load_generator(f"progan:{tuned / 'best.safetensors'}")
    reference = Reference(read_images(data, 16)[0], 8)
    found = reference.distance(lambda z: best(z[:, None]), 5)
    assert found == pytest.approx(min(scored.values()), rel=1e-3)

    (tuned / "config.json").write_text(json.dumps({**config, "finished": None}))
    (problem,) = json.loads(call("info", tuned, "--json").stdout)["problems"]
    assert f"finetune --resume {tuned} resumes it" in problem

    for arguments, word in [
        (["finetune"], "no checkpoint"),
        (["finetune", out / "generator.safetensors", data, "--resolution", 16], "not a snapshot of `train progan`"),
        (["train", "progan"], "no data"),
        (["train", "progan", data], "--resolution"),
        (["train", "progan", tmp_path / "empty", "--resolution", 16], "no data set and no images"),
        (["train", "progan", "--resume", out, "--seed", 1], "leave out --seed"),
        (["train", "biggan", "--resume", out], "a run of `train progan`"),
    ]:
        result = call(*arguments)
        assert result.exit_code == 2 and word in result.stderr, result.stderr


def test_killed_in_the_middle_of_a_ramp_and_resumed(data, tmp_path):
    """kill -9 while the penalty rises; what is gone on with gives the same bytes."""
    flags = [*map(str, FLAGS), "--resolution", "16", "--score-every", "0", "--save-every", "0", "--preview-every", "0",
             "--penalty-weight", "0.01", "--ramp-kimg", "0.15", "--threads", "1"]  # fmt: skip
    command = [sys.executable, "cli.py", "train", "progan"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*command, data, "--out", whole, *flags], check=True, capture_output=True)
    process = subprocess.Popen(
        [*command, data, "--out", broken, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    log = broken / "log.jsonl"
    deadline = time.monotonic() + 60
    while not (broken / "state.safetensors").is_file() or len(log.read_bytes().splitlines()) < 12:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (broken / "generator.safetensors").exists()
    assert (
        0 < int(load_file(broken / "state.safetensors")["step"]) < len((whole / "log.jsonl").read_text().splitlines())
    )
    subprocess.run(
        [*command, "--resume", broken, "--score-every", "0", "--preview-every", "0"], check=True, capture_output=True
    )
    for name in ("generator.safetensors", "snapshot.safetensors", "state.safetensors"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes()
