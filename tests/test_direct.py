import pytest
import torch
from torch import nn

from direction_finder import discovery
from direction_finder.discovery import hessian_direct, jacobian, mean_field
from direction_finder.discovery.configs import HessianDirectConfig, JacobianConfig, MeanFieldConfig
from direction_finder.discovery.direct import Points
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule, load_generator
from direction_finder.hessians import diagonal_share
from direction_finder.stacks import energies as energies_of
from tests.conftest import NUM_CLASSES, call
from tests.planted import planted, worst_match


@pytest.fixture
def small(dcgan_file):
    return load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


@pytest.mark.parametrize(
    ("solver", "n", "points", "least"),
    [
        ("joint", 8, 60, 0.999),
        ("joint", 32, 60, 0.999),
        ("squares", 8, 400, 0.9),  # eigenvectors of a mean mix where its eigenvalues are close
    ],
)
def test_planted_directions_are_found_at_once(solver, n, points, least):
    generator = planted(n, seed=n)
    found = discovery.find(
        generator, "hessian-direct", points=points, solver=solver, eta=0.0, max_batch=64, keep_going=True
    )
    assert worst_match(found.vectors, generator.module.rows) >= least


def test_first_order_finds_directions_of_different_loudness():
    """B with orthogonal columns of different length: J^T J is diagonal along R at every point."""
    generator = planted(8, seed=3)
    mixing = torch.linalg.qr(torch.randn(48, 8, generator=torch.Generator().manual_seed(0)))[0].mT
    generator.module.mixing.copy_(mixing * torch.linspace(3, 1, 8)[:, None])
    for solver in ("mean", "squares", "joint"):
        found = discovery.find(generator, "jacobian", points=40, solver=solver, weight="raw", by="whole", max_batch=64)
        assert worst_match(found.vectors, generator.module.rows) >= 0.999, solver


@pytest.mark.parametrize("method", [hessian_direct, jacobian, mean_field])
def test_a_resumed_search_is_the_uninterrupted_one(method, small):
    kind = {hessian_direct: HessianDirectConfig, jacobian: JacobianConfig, mean_field: MeanFieldConfig}[method]
    config = kind(points=12, max_batch=16, keep_going=True)
    states = {}
    whole = method.find(small, config, on_step=lambda progress: states.update({progress.step: progress.state()}))
    assert sorted(states) == list(range(1, 13))
    for step in (5, 8, 11):
        resumed = method.find(small, config, resume=states[step])
        assert torch.equal(whole.vectors, resumed.vectors)
        assert whole.metadata() == resumed.metadata()


def test_it_stops_when_the_share_on_matrices_kept_aside_stops_rising():
    steps = []
    found = discovery.find(
        planted(8), "hessian-direct", solver="joint", points=400, max_batch=64, progress=lambda step: steps.append(step)
    )
    looks = [step.values for step in steps if step.values]
    assert 12 <= len(steps) < 100
    assert found.config["points"] == len(steps)
    assert looks[-1]["share"] > 0.95
    assert looks[-1]["random_share"] < 0.5


@pytest.mark.parametrize("method", ["hessian-direct", "jacobian", "mean-field"])
def test_stopping_at_once_gives_what_two_points_tell(method, small):
    seen = []
    found = discovery.find(small, method, progress=lambda step: (seen.append(step.step), step.stop()))
    assert seen == [1, 2]
    assert (len(found), found.config["points"]) == (6, 2)


def test_directions_come_by_diagonal_energy(small):
    states = []
    found = discovery.find(small, "hessian-direct", points=6, progress=lambda progress: states.append(progress.state()))
    assert list(found.scores) == sorted(found.scores, reverse=True)
    energies = energies_of(states[-1]["matrices"][:, None], found.vectors)
    assert torch.allclose(energies, torch.tensor(found.scores), atol=1e-5)
    few = discovery.find(small, "hessian-direct", points=6, num_directions=2)
    assert torch.equal(few.vectors, found.vectors[:2])


def test_some_dimensions_layers_and_activations(biggan_folder):
    generator = load_generator(f"biggan-deep:{biggan_folder}")
    settings = {"points": 2, "dims": (0, 3), "layers": (2, 5), "class_name": "1"}
    for method in ("hessian-direct", "jacobian"):
        found = discovery.find(generator, method, at=("layer3", "image"), **settings)
        assert found.vectors.shape == (4, 12)
        assert not found.vectors[:, 4:].any()
        assert found.layers[0] == (2, 3, 4, 5)
    with pytest.raises(InputError, match="zero or not finite"):
        discovery.find(generator, "hessian-direct", at=("layer1",), **settings)  # layers 2 to 5 do not reach it


def test_settings_of_other_methods_are_refused(small):
    for method, setting in (
        ("hessian-direct", "steps"),
        ("jacobian", "orthogonal"),
        ("hessian", "points"),
        ("random", "solver"),
    ):
        with pytest.raises(InputError, match=f"method {method} has no setting {setting}"):
            discovery.find(small, method, **{setting: 1})


def test_a_random_forward_is_refused():
    class Noisy(nn.Module):
        def forward(self, z):
            return z[:, :3, None, None] + torch.randn(len(z), 3, 4, 4)

    with pytest.raises(InputError, match="another image for the same z"):
        discovery.find(WrappedModule(Noisy(), 4), "hessian-direct", points=2)


def test_a_run_is_solved_again_without_measuring(dcgan_file, tmp_path):
    folder = tmp_path / "run"
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--method", "hessian-direct")
    assert call(*base, "--points", 6, "--out", folder).exit_code == 0
    first = (folder / "directions.safetensors").read_bytes()
    log = (folder / "log.jsonl").read_text()
    assert call("learn", "--resume", folder, "--solver", "joint").exit_code == 0
    assert (folder / "directions.safetensors").read_bytes() != first
    assert (folder / "log.jsonl").read_text() == log  # no point was measured
    assert call("learn", "--resume", folder, "--solver", "squares").exit_code == 0
    assert (folder / "directions.safetensors").read_bytes() == first
    assert call("learn", "--resume", folder, "--points", 9).exit_code == 0
    assert len((folder / "log.jsonl").read_text().splitlines()) == 9
    refused = call("learn", "--resume", folder, "--epsilon", 0.2)
    assert refused.exit_code == 2
    assert "leave out --epsilon" in refused.stderr


class Turning(nn.Module):
    """Gives the same images for the first calls, and others from then on: random ones, or ever brighter ones."""

    def __init__(self, calls: int, drift: bool):
        super().__init__()
        self.layer, self.calls, self.drift, self.seen = nn.Linear(4, 3 * 16), calls, drift, 0

    def forward(self, z):
        self.seen += 1
        more = 0.0 if self.seen <= self.calls else 0.01 * (self.seen if self.drift else torch.randn(()))
        return (self.layer(z).sin() + more).view(-1, 3, 4, 4)


@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("jacobian", {"points": 16}),
        ("hessian-direct", {"points": 12}),
        ("hessian", {"steps": 12, "batch_size": 2, "share_points": 0}),
        ("orojar", {"steps": 9, "batch_size": 2, "share_points": 0}),
    ],
)
def test_a_network_that_turns_random_during_the_search_is_refused(method, settings, drift):
    settings = {**settings, "max_batch": 32, "precision": "exact"}
    steady = discovery.find(WrappedModule(Turning(10**9, drift), name="steady"), method, **settings)
    assert len(steady) == 4
    with pytest.raises(InputError, match="two calls on the same input differ"):
        discovery.find(WrappedModule(Turning(14, drift), name="turning"), method, **settings)


def test_the_validation_share_is_of_matrices_that_the_basis_has_not_seen():
    """Those kept aside are diagonal in another basis than the others, whose basis must not be drawn towards it."""
    mine, other = (torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(i)))[0] for i in (0, 1))
    values = torch.rand(16, 6, generator=torch.Generator().manual_seed(2)) + torch.arange(6)
    kept_aside = torch.arange(16) % 4 == 3
    matrices = torch.where(
        kept_aside[:, None, None], other.mT @ values.diag_embed() @ other, mine.mT @ values.diag_embed() @ mine
    )
    points = Points(HessianDirectConfig(solver="mean"), 6, None)
    for matrix in matrices:
        points.add(matrix[None])
    found = points.share()
    assert found["share"] == pytest.approx(float(diagonal_share(matrices[kept_aside], mine).mean()), abs=0.01)
    assert found["share_of"] == 4


def test_points_are_as_far_from_z_as_eta_allows(small):
    space = SearchSpace(small, HessianDirectConfig())
    rng = torch.Generator().manual_seed(0)
    distances = torch.stack([space.draw_point(3.0, rng)[0].norm() for _ in range(400)])
    assert 2.9 < distances.max() <= 3
    assert distances.mean() == pytest.approx(1.5, abs=0.15)
    assert space.draw_point(0.0, rng)[0].norm() == 0


class Channels(nn.Module):
    """Every channel of the first layer changes along two of the rows, and J^T J of all together is the identity.

    So the whole has nothing to say, and the channels have all.
    """

    def __init__(self, n: int = 6):
        super().__init__()
        rows = torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(4)))[0]
        self.register_buffer("rows", rows)
        weight = torch.zeros(n, 2, n)
        for channel in range(n):
            weight[channel, 0], weight[channel, 1] = rows[channel], 0.5 * rows[(channel + 1) % n]
        self.first = nn.Conv2d(n, 2 * n, 1)
        self.first.weight.data = weight.transpose(0, 1).reshape(2 * n, n, 1, 1)
        self.last = nn.Conv2d(2 * n, 3 * 16, 1)

    def forward(self, z):
        return self.last(self.first(z[:, :, None, None]).tanh()).view(-1, 3, 4, 4)


def test_channels_tell_directions_of_equal_strength_apart():
    module = Channels()
    generator = WrappedModule(module, 6, latent_shape=(6,))
    settings = {"points": 8, "at": ("first",), "keep_going": True, "epsilon": 1e-3}
    assert worst_match(discovery.find(generator, "jacobian", by="channel", **settings).vectors, module.rows) > 0.99
    assert worst_match(discovery.find(generator, "jacobian", by="whole", **settings).vectors, module.rows) < 0.95


def test_a_search_by_channel_is_resumed_and_solved_again(small):
    config = jacobian.JacobianConfig(points=12, by="channel", at=("layer0",), keep_going=True)
    states = {}
    whole = jacobian.find(small, config, on_step=lambda progress: states.update({progress.step: progress.state()}))
    assert sorted(states) == list(range(1, 13))
    assert states[12]["matrices"].shape == (12 * 48, small.dim, small.dim)
    for step in (5, 11):
        again = jacobian.find(small, config, resume=states[step])
        assert torch.equal(whole.vectors, again.vectors) and whole.metadata() == again.metadata()
    assert whole.share["share"] > whole.share["random_share"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (None, ("layer2", "layer3")),  # of 8 and 16 pixels; the middle of 4 and 32 is 11
        ((3, 5), ("attention", "layer4")),  # of 16 and 32, for those of fewer do not change
        ((5, 5), ("layer5",)),
    ],
)
def test_activations_of_middle_resolution_are_differentiated(layers, expected, biggan_folder):
    found = discovery.find(load_generator(f"biggan-deep:{biggan_folder}"), points=2, layers=layers, class_name="1")
    assert tuple(found.config["at"]) == expected


def test_without_activations_the_image_is_differentiated():
    assert discovery.find(planted(4), points=2).config["at"] == ["image"]


def test_fewer_matrices_are_kept_in_large_spaces():
    assert [JacobianConfig().per_point(size) for size in (8, 128, 200, 512)] == [48, 48, 19, 12]
    assert JacobianConfig(by="whole").per_point(8) == 1


def test_what_is_kept_is_told():
    values = []
    discovery.find(planted(20), points=2, at=("image",), progress=lambda step: values.append(step.values["kept"]))
    assert all(0.9 < kept <= 1.0001 for kept in values)


@pytest.mark.parametrize("setting", [{"weight": "raw"}, {"solver": "mean"}])
def test_what_is_lost_by_compressing_is_refused(setting):
    with pytest.raises(InputError, match="by channel, matrices are weighted and compressed"):
        jacobian.JacobianConfig(**setting)
