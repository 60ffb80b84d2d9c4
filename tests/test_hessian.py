import dataclasses

import pytest
import torch
from torch import nn

from direction_finder import discovery
from direction_finder.directions import Directions
from direction_finder.discovery.configs import HessianConfig
from direction_finder.discovery.hessian import find, penalties
from direction_finder.discovery.loop import batch_penalty, draw_batch, starting_rows
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule, load_generator
from direction_finder.orthogonal import gram_schmidt
from direction_finder.randomness import stream
from tests.conftest import NUM_CLASSES
from tests.planted import planted, worst_match

QUICK = {"score_samples": 0, "max_batch": 1000}


@pytest.fixture
def small(dcgan_file):
    return load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("orthogonal", "schedule"), [("gram_schmidt", "constant"), ("cayley", "constant"), ("stiefel", "linear")]
)
def test_planted_directions_are_found(orthogonal, schedule, seed):
    generator = planted(8, seed)
    settings = {"steps": 1000, "batch_size": 32, "learning_rate": 0.02, "seed": seed}
    settings |= {"orthogonal": orthogonal, "schedule": schedule}
    found = discovery.find(generator, "hessian", **settings, **QUICK)
    assert worst_match(found.vectors, generator.module.rows) >= 0.999
    start = gram_schmidt(starting_rows(SearchSpace(generator, HessianConfig(seed=seed)), HessianConfig(seed=seed)))
    assert worst_match(start, generator.module.rows) < 0.9  # it did not begin there


def test_defaults_are_the_published_settings():
    config = HessianConfig()
    published = {"batch_size": 96, "learning_rate": 0.01, "num_probes": 2, "epsilon": 0.1, "eta": 5.0, "steps": 50_000}
    assert {name: getattr(config, name) for name in published} == published
    assert (config.reduction, config.at, config.orthogonal, config.start) == (
        "mean",
        ("image",),
        "gram_schmidt",
        "random",
    )
    assert config.num_directions is config.dims is config.layers is None


def test_points_are_one_hot_and_eta_wide(small, rng):
    config = HessianConfig(batch_size=4000)
    batch = draw_batch(SearchSpace(small, config), config, 6, rng)
    assert ((batch.w != 0).sum(1) == 1).all()
    assert 4.9 < batch.w.abs().max() <= 5
    assert abs(float(batch.w.sum(1).mean())) < 0.2
    assert ((batch.w != 0).float().mean(0) - 1 / 6).abs().max() < 0.03
    assert set(batch.probes.unique().tolist()) == {-1.0, 1.0}
    assert batch.classes.bincount().shape == (NUM_CLASSES,)


@pytest.mark.parametrize("reduction", ["mean", "max"])
def test_slices_give_the_gradient_of_one_batch(reduction, small, rng):
    config = HessianConfig(batch_size=10, max_batch=1000, reduction=reduction, at=("layer0", "image"))
    space = SearchSpace(small, config)
    batch = draw_batch(space, config, 6, rng)
    rows = gram_schmidt(torch.randn(6, 6, generator=rng))

    def gradient(max_batch):
        leaf = rows.clone().requires_grad_(True)
        penalty = batch_penalty(space, dataclasses.replace(config, max_batch=max_batch), leaf, batch, penalties)
        return penalty, leaf.grad

    widest = []
    small.network.register_forward_pre_hook(lambda _, inputs: widest.append(len(inputs[0])))
    whole, sliced = gradient(1000), gradient(12)
    assert abs(sliced[0] / whole[0] - 1) < 1e-5
    assert (sliced[1] - whole[1]).norm() / whole[1].norm() < 1e-5


def test_no_batch_is_larger_than_asked(small):
    sizes = []
    original = small.run
    small.run = lambda latents, *rest: sizes.append(len(latents)) or original(latents, *rest)
    discovery.find(small, "hessian", steps=2, batch_size=7, max_batch=8, score_samples=2)
    assert max(sizes) <= 8


def test_only_the_searched_dimensions_and_layers_are_used(biggan_folder):
    generator = load_generator(f"biggan-deep:{biggan_folder}")
    found = discovery.find(
        generator, "hessian", steps=1, batch_size=2, dims=(4, 9), layers=(1, 3), class_name="2", score_samples=1
    )
    assert found.vectors.shape == (6, 12)
    space = SearchSpace(generator, HessianConfig(dims=(4, 9), layers=(1, 3)))
    moved = space.latents(torch.zeros(1, 12), torch.ones(1, 6))
    assert moved.nonzero()[:, 1].unique().tolist() == [1, 2, 3]
    assert moved.nonzero()[:, 2].unique().tolist() == [4, 5, 6, 7, 8, 9]
    assert not found.vectors[:, :4].any()
    assert not found.vectors[:, 10:].any()
    assert found.layers == ((1, 2, 3),) * 6
    assert (found.class_index, found.class_name) == (2, "class 2")
    assert found.orthonormal


def test_one_step_is_the_gradient_step_of_the_definition(small):
    """The penalty is taken with respect to w, and Adam moves A against its gradient: recomputed without our code."""
    config = HessianConfig(steps=1, batch_size=3, class_index=1, **QUICK)
    space = SearchSpace(small, config)
    states = []
    find(small, config, on_step=lambda progress: states.append(progress.state()))
    free = starting_rows(space, config).requires_grad_(True)
    batch = draw_batch(space, config, 6, stream(config.seed, "learning"))
    q = torch.linalg.qr(free.mT)
    rows = (q.Q * q.R.diagonal().sign()).mT

    def image(w):
        return small(batch.z[:, None] + (w @ rows)[:, None], batch.classes)

    seconds = [(image(batch.w + 0.1 * v) - 2 * image(batch.w) + image(batch.w - 0.1 * v)) / 0.01 for v in batch.probes]
    torch.stack(seconds).var(0, unbiased=True).mean().backward()
    gradient = states[0]["adam_mean"] / 0.1  # Adam's first moment after one step is (1 - beta1) times the gradient
    assert torch.nn.functional.cosine_similarity(gradient.flatten(), free.grad.flatten(), dim=0) > 0.9999
    adam_step = 0.01 * gradient / (gradient.abs() + 1e-8)
    assert torch.allclose(states[0]["free"], free.detach() - adam_step, atol=1e-5)


@pytest.mark.parametrize("variant", [{}, {"orthogonal": "stiefel", "schedule": "linear"}, {"orthogonal": "cayley"}])
def test_a_resumed_search_is_the_uninterrupted_one(variant, small):
    config = HessianConfig(steps=6, batch_size=4, seed=3, **variant)
    states = {}
    whole = find(small, config, on_step=lambda progress: states.update({progress.step: progress.state()}))
    resumed = find(small, config, resume=states[4])
    assert torch.equal(whole.vectors, resumed.vectors)
    assert whole.metadata() == resumed.metadata()


@pytest.mark.parametrize("orthogonal", ["gram_schmidt", "stiefel"])
def test_momentum_is_the_part_of_the_mean_gradient_that_is_kept(orthogonal, small):
    means = []
    for momentum in (0.5, 0.9):
        config = HessianConfig(steps=1, batch_size=2, momentum=momentum, orthogonal=orthogonal, **QUICK)
        find(small, config, on_step=lambda progress: means.append(progress.state()["adam_mean"]))
    assert torch.allclose(means[0], 5 * means[1], rtol=1e-3, atol=1e-6)  # (1 - 0.5) and (1 - 0.9) times the gradient
    with pytest.raises(InputError, match="momentum is 1"):
        HessianConfig(momentum=1.0)


def test_a_linear_schedule_ends_at_zero_and_cannot_be_prolonged(small):
    config = HessianConfig(steps=4, batch_size=2, schedule="linear", **QUICK)
    states = []
    find(small, config, on_step=lambda progress: states.append(progress.state()["free"]))
    constant = []
    steady = dataclasses.replace(config, schedule="constant")
    find(small, steady, on_step=lambda progress: constant.append(progress.state()["free"]))
    assert torch.equal(states[0], constant[0])
    assert (states[3] - states[2]).norm() < 0.5 * (constant[3] - constant[2]).norm()
    saved = []
    find(small, config, on_step=lambda progress: (saved.append(progress.state()), progress.stop()))
    with pytest.raises(InputError, match="laid out for 4 steps"):
        find(small, dataclasses.replace(config, steps=9), resume=saved[0])


def test_stopping_gives_what_was_found_so_far(small):
    seen = []
    found = find(small, HessianConfig(steps=50), on_step=lambda progress: (seen.append(progress.step), progress.stop()))
    assert seen == [1]
    assert len(found) == 6
    assert found.scores == (None,) * 6
    assert found.config["steps"] == 1


def test_the_strongest_are_kept_in_order(small):
    everything = discovery.find(small, "random", seed=1)
    assert list(everything.scores) == sorted(everything.scores, reverse=True)
    assert everything.scores[0] > 1.2 * everything.scores[-1]
    few = discovery.find(small, "random", seed=1, num_directions=2)
    assert torch.equal(few.vectors, everything.vectors[:2])


def test_a_score_is_the_variance_over_three_positions(small):
    found = discovery.find(small, "coordinates", class_name="0", score_samples=1, seed=5)
    z = small.sample(1, stream(5, "scoring"))
    direction = found[0]
    at = z[:, None] + torch.tensor([-2.0, 0, 2])[:, None, None] * direction.vector
    images = small(at, torch.zeros(3, dtype=torch.long))
    assert abs(float(images.var(0).mean()) / direction.score - 1) < 1e-4
    assert direction.name == f"z{int(direction.vector.argmax())}"


def test_starts(small, tmp_path):
    coordinates = HessianConfig(start="coordinates")
    space = SearchSpace(small, coordinates)
    assert torch.equal(starting_rows(space, coordinates), torch.eye(6))
    path = tmp_path / "start.safetensors"
    first = discovery.find(small, "random", **{"score_samples": 0})
    first.save(path)
    config = HessianConfig(start=str(path), steps=1, batch_size=2, learning_rate=1e-6, **QUICK)
    found = find(small, config)
    assert torch.allclose(found.vectors, first.vectors, atol=1e-4)
    assert found.config["start"].startswith("sha256:")  # a directions file holds no path
    Directions(torch.eye(5), "random").save(path)
    with pytest.raises(InputError, match="6 directions within its 6"):
        find(small, config)


def test_unconstrained_directions_say_so(small):
    found = discovery.find(small, "hessian", steps=3, batch_size=2, orthogonal="none", learning_rate=0.5, **QUICK)
    assert not found.orthonormal
    assert torch.allclose(found.vectors.norm(dim=1), torch.ones(6), atol=1e-5)
    assert (found.vectors @ found.vectors.mT - torch.eye(6)).abs().max() > 0.01


def test_a_random_forward_is_refused():
    class Noisy(nn.Module):
        def forward(self, z):
            return z[:, :3, None, None].expand(-1, 3, 4, 4) + 0.01 * torch.randn(len(z), 3, 4, 4)

    with pytest.raises(InputError, match="another image for the same z"):
        discovery.find(WrappedModule(Noisy(), 4), "hessian", steps=1, batch_size=2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps is 0: expected at least 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"reduction": "sum"}, "mean, max"),
        ({"max_batch": 3}, "expected at least 4, the rows of one sample"),
        ({"num_directions": 7}, "searched space has 6 dimensions"),
        ({"num_directions": 2, "score_samples": 0}, "score_samples"),
        ({"dims": (3, 6)}, "dimensions 0 to 5"),
        ({"layers": (0, 1)}, "layers 0 to 0"),
        ({"at": ("layer9",)}, "layer0, layer1, image"),
        ({"class_index": 3}, "3 classes"),
        ({"colour": 1}, "no setting colour"),
    ],
)
def test_bad_settings_are_named(settings, words, small):
    with pytest.raises(InputError, match=words):
        discovery.find(small, "hessian", **{"steps": 1, "batch_size": 1, **settings})


def test_methods_without_a_setting_refuse_it(small):
    with pytest.raises(InputError, match="method random has no setting steps"):
        discovery.find(small, "random", steps=5)
    with pytest.raises(InputError, match="expected one of jacobian"):
        discovery.find(small, "pca")
