"""Bending: directions whose curved coordinates are known are found; straight ones stay straight."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from scipy.stats import spearmanr
from torch import nn

import direction_finder as df
from direction_finder import bending, edits
from direction_finder.curves import Curve
from direction_finder.directions import Directions
from direction_finder.directions_file import CURVED, CURVES, FORMAT
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.generators import WrappedModule
from direction_finder.images import MADE_KEY
from tests.conftest import call
from tests.test_directions_file import raw

N = 6
STRENGTHS = torch.linspace(1.0, 0.4, N)


class Bent(nn.Module):
    """G = B sin(s c(z)) with bent coordinates c whose gradients are orthogonal everywhere.

    In planes of the basis R, seen as complex numbers, c is w + size w^2 / 2, whose real and imaginary parts have
    orthogonal gradients as it is analytic. Each of three channels shows one coordinate of two different planes.
    """

    def __init__(self, size: float, seed: int = 0):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.size = size
        self.register_buffer("rows", torch.linalg.qr(torch.randn(N, N, generator=rng))[0])
        self.register_buffer("phases", torch.rand(N, 8, generator=rng) * 6.28)

    def coordinates(self, z: torch.Tensor) -> torch.Tensor:
        x, y = (z @ self.rows.mT).chunk(2, dim=1)
        return torch.cat([x + self.size * (x**2 - y**2) / 2, y + self.size * x * y], 1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        waves = ((STRENGTHS * self.coordinates(z))[:, :, None] + self.phases).sin()  # (n, N, 8)
        first, second = waves.chunk(2, dim=1)
        return torch.stack([first, second.roll(1, 1)], 2).view(-1, 3, 4, 4)


def planted(size: float) -> tuple[WrappedModule, Directions, torch.Tensor, torch.Tensor]:
    """The generator, its directions, random z, and their coordinates c in the order of the directions."""
    module = Bent(size)
    generator, z = WrappedModule(module, N, name="bent"), torch.randn(1000, N)
    directions = df.find(generator, at=("image",), points=32, keep_going=True)
    order = (directions.vectors @ module.rows.mT).abs().argmax(1)
    assert sorted(order.tolist()) == list(range(N))
    return generator, directions, z, module.coordinates(z)[:, order]


def ranks(found: torch.Tensor, truth: torch.Tensor) -> float:
    return abs(spearmanr(found.numpy(), truth.numpy())[0])


def test_known_bent_coordinates_are_found():
    generator, directions, z, truth = planted(0.2)
    curved = df.bend(generator, directions)
    latents = edits.spread(z, 1)
    found = [ranks(edits.coordinate(latents, each)[:, 0], truth[:, i]) for i, each in enumerate(curved)]
    straight = [ranks(edits.coordinate(latents, each)[:, 0], truth[:, i]) for i, each in enumerate(directions)]
    assert min(found) > 0.99 and min(straight) < 0.99
    assert sum(a > b for a, b in zip(found, straight, strict=True)) >= 4
    for each, vector in zip(curved.curves, curved.vectors, strict=True):
        if each:  # of standard deviation 1 over z, as straight coordinates, and along the direction at z = 0
            assert each.coordinate(z).std() == pytest.approx(1, abs=0.1)
            assert torch.allclose(each.slope / each.slope.norm(), vector, atol=1e-5)
    assert torch.equal(curved.vectors, directions.vectors) and curved.straight == replace(directions, ranges=())


def test_straight_directions_stay_straight_within_the_noise():
    generator, directions, z, truth = planted(0.0)
    curved = df.bend(generator, directions, points=96)
    for i, each in enumerate(curved):
        assert each.curve is None or each.curve.bends.abs().max() < 0.02
        assert ranks(edits.coordinate(edits.spread(z, 1), each)[:, 0], truth[:, i]) > 0.999


def test_gradients_that_are_not_orthogonal_are_found(rng):
    """Of two coordinates, one strong, one weak and bent by it, as size by hue."""
    basis = torch.linalg.qr(torch.randn(N, N, generator=rng))[0].double()
    truth = basis.clone()
    truth[5] += 0.4 * basis[0]
    strengths = torch.rand(40, N, generator=rng).double() * torch.linspace(1.0, 0.3, N)
    matrices = torch.einsum("cf,fi,fj->cij", strengths, truth, truth)
    found = nn.functional.normalize(bending.unmixed(matrices, basis), dim=1)
    cosines = (found * nn.functional.normalize(truth, dim=1)).sum(1)
    assert cosines.min() > 0.995
    unseen = bending.unmixed(torch.zeros(3, N, N), basis)
    assert torch.equal(unseen, basis)


def test_a_fit_finds_the_coordinates_whose_gradients_it_is_given(rng):
    points = torch.randn(50, N, generator=rng)
    matrices = torch.randn(2, N, N, generator=rng)
    matrices, slopes = matrices + matrices.mT, torch.randn(2, N, generator=rng)
    directions = slopes + torch.einsum("dij,pj->pdi", matrices, points)
    fit = bending.Fit(points + 3, directions)  # c is the same with z - 3 in place of z
    found = fit.matrices(0.0)
    assert torch.allclose(found, matrices.double(), atol=1e-4)
    assert torch.allclose(fit.gradients(found, torch.full((1, N), 3.0))[0], slopes.double(), atol=1e-3)
    assert fit.matrices(1.0).norm() < 0.7 * found.norm()


def test_noisy_components_count_less(rng):
    """S_01 is seen twice: in a component with noise and in one without."""
    points, matrix = torch.randn(400, N, generator=rng), torch.zeros(N, N)
    matrix[0, 1] = matrix[1, 0] = 0.3
    noise = torch.tensor([2.0, 0.01, 0.01, 0.01, 0.01, 0.01]) * torch.randn(400, N, generator=rng)
    fit = bending.Fit(points, (torch.eye(N)[2] + points @ matrix + noise)[:, None])
    assert float(fit.matrices(0.0)[0, 0, 1]) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(("rank", "noise"), [(1, 0.1), (2, 0.1), (0, 1.0)])
def test_the_rank_is_chosen_at_points_held_out(rank, noise, rng):
    axes = torch.linalg.qr(torch.randn(N, N, generator=rng))[0][:rank]
    points = torch.randn(96, N, generator=rng)
    pointing = torch.eye(N)[0] + 0.5 * points @ axes.mT @ axes + noise * torch.randn(96, N, generator=rng)
    choice = bending.chosen(points, pointing[:, None], [1, 2, 4, N])
    if rank:
        assert int(choice.ranks) in (rank, 2 * rank) and choice.gains > 5 * choice.errors
    else:
        assert choice.gains < 2 * choice.errors
    whole = points[:3, :, None] * points[:3, None] + torch.diag(torch.linspace(0.1, 0.2, N))
    one, all_of_it = bending.cut(whole, [1, N])
    assert torch.linalg.matrix_rank(one).tolist() == [1, 1, 1] and torch.allclose(all_of_it, whole, atol=1e-5)


def test_searched_dimensions_and_scale_are_respected():
    module = Bent(0.2)
    generator = WrappedModule(module, N, name="bent")
    generator.scale = 2.0
    found = df.find(generator, at=("image",), points=8, dims=(1, 4))
    curved = df.bend(generator, found, points=32)
    assert curved.scale == 2.0 and any(curved.curves)
    for curve in filter(None, curved.curves):
        outside = [0, 5]
        assert not curve.slope[outside].any() and not curve.axes[:, outside].any()


def test_directions_of_another_generator_are_refused():
    generator, directions, _, _ = planted(0.0)
    with pytest.raises(InputError, match="were found in generator bent"):
        df.bend(WrappedModule(Bent(0.1, 1), N, name="other"), directions)
    with pytest.raises(InputError, match="points is 7: expected at least 8"):
        df.bend(generator, directions, points=7)


@pytest.fixture
def record(rng) -> Directions:
    vectors = torch.linalg.qr(torch.randn(4, 4, generator=rng))[0]
    curves = (Curve.of(vectors[0], torch.diag(torch.tensor([0.3, -0.2, 0.0, 0.0])), 2), None, None, None)
    about = {"points": 8, "seed": 0, "at": ["image"], "epsilon": 0.1}
    return Directions(vectors, "test", curves=curves, curvature=about)


def test_curves_are_saved_and_read_and_count_in_the_hash(record, tmp_path):
    path = tmp_path / "d.safetensors"
    record.save(path)
    again = Directions.load(path)
    assert again == record and again.sha256 == record.sha256 and raw(path)["format"] == CURVED
    assert again[0].curve == record.curves[0] and again[1].curve is None and "curved" in repr(again[0])
    assert again[[1, 0]].curves == (None, record.curves[0])
    straight = record.straight
    assert straight != record and straight.sha256 != record.sha256
    assert straight.sha256 == Directions(record.vectors, "test").sha256
    straight.save(path)
    assert raw(path)["format"] == FORMAT and not set(CURVES) & set(load_file(path))


BAD = {
    "a slope of NaN": ("curve_slopes", lambda t: t.fill_(torch.nan), "finite"),
    "bends that are too large": ("curve_bends", lambda t: t.fill_(1e7), "bends up to"),
    "a slope that is too small": ("curve_slopes", lambda t: t.mul_(1e-9), "slope of length"),
    "axes that are not orthonormal": ("curve_axes", lambda t: t.mul_(2), "not orthonormal"),
    "slopes of another size": ("curve_slopes", lambda t: t[:, :3].clone(), r"\(num, dim\)"),
    "fewer slopes": ("curve_slopes", lambda t: t[:3].clone(), "3 curve_slopes and 4 curve_bends"),
    "fewer curves": (None, lambda t: t[:3].clone(), "curves: 3 entries for 4 directions"),
    "axes of another rank": ("curve_axes", lambda t: t[:, :1].clone(), r"\(num, rank, dim\)"),
    "bends without a direction": ("curve_slopes", lambda t: t.zero_(), "slope of length"),
    "a vector for axes": ("curve_axes", lambda t: t.flatten(), r"\(num, rank, dim\)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_hostile_curves_are_refused_in_one_line(kind, record, tmp_path):
    name, spoil, words = BAD[kind]
    path = tmp_path / "d.safetensors"
    record.save(path)
    tensors, about = load_file(path), {METADATA_KEY: json.dumps(raw(path))}
    for each in [name] if name else CURVES:
        tensors[each] = spoil(tensors[each])
    save_file(tensors, path, metadata=about)
    with pytest.raises(InputError, match=words) as error:
        Directions.load(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("change", [{"format": FORMAT}, {"curvature": None}, {"curvature": {"points": -1}}])
def test_curves_need_their_format_and_how_they_were_measured(change, record, tmp_path):
    path = tmp_path / "d.safetensors"
    record.save(path)
    save_file(load_file(path), path, metadata={METADATA_KEY: json.dumps({**raw(path), **change})})
    with pytest.raises(InputError, match="curvature"):
        Directions.load(path)
    with pytest.raises(InputError, match="curvature"):
        replace(record, curvature=None)


def test_the_command_curves_a_run_and_edits_follow_unless_straight(run_folder, tmp_path):
    path = run_folder / "directions.safetensors"
    render = ("render", "grid", run_folder, "--samples", 1, "--steps", 3, "--directions", "0-5", "--out")
    assert call(*render, tmp_path / "before.png").exit_code == 0
    assert call("rank", run_folder, "--samples", 2, "--hessians", 2, "--ranges", "none").exit_code == 0
    plain = Directions.load(path)
    bent = call("bend", run_folder, "--points", 24)
    assert bent.exit_code == 0 and "directions are curved" in bent.stdout
    curved = Directions.load(path)
    assert curved.curvature["points"] == 24 and curved.straight == replace(plain, ranges=curved.ranges)
    listed = json.loads((run_folder / "rank.json").read_text())["short_list"] or list(range(6))
    samples = df.open_run(run_folder).generator().samples(64, seed=0, class_name=1)
    error = df.commutativity_error(samples, curved[listed])
    pairs = error[*torch.triu_indices(len(listed), len(listed), 1)]
    assert f"two of {len(listed)} directions end {pairs.mean():.3f} apart in the other order" in bent.stdout
    assert f" {pairs.max():.3f}; along straight lines 0" in bent.stdout and pairs.max() > 0
    assert any(curved.curves), "nothing to test"
    assert call(*render, tmp_path / "curved.png").exit_code == 0
    assert call(*render, tmp_path / "straight.png", "--straight").exit_code == 0
    images = [(tmp_path / f"{name}.png").read_bytes() for name in ("before", "curved", "straight")]
    assert images[0] == images[2] != images[1]
    assert df.open_run(run_folder).short_list == json.loads((run_folder / "rank.json").read_text())["short_list"]
    number = next(i for i, curve in enumerate(curved.curves) if curve)
    edit = ("edit", run_folder, "--samples", 2)
    assert call(*edit, "--step", f"move:{number}=1", "--out", tmp_path / "a.png").exit_code == 0
    assert call(*edit, "--recipe", tmp_path / "a.json", "--out", tmp_path / "b.png").exit_code == 0
    refused = call(*edit, "--recipe", tmp_path / "a.json", "--out", tmp_path / "c.png", "--straight")
    assert refused.exit_code == 2 and "other directions" in refused.stderr
    assert call("align", run_folder, "--direction", number, "--samples", 2).exit_code == 0
    again = path.read_bytes()
    assert call("bend", run_folder, "--points", 24).exit_code == 0 and path.read_bytes() == again


@pytest.fixture
def bent_run(run_folder, record) -> Path:
    """A run whose directions 0 and 1 have curves; the others are straight."""
    plain = Directions.load(run_folder)
    curves = (
        *(Curve.of(v, 0.2 * v[:, None] * v.roll(1) + 0.2 * v.roll(1)[:, None] * v, 2) for v in plain.vectors[:2]),
    )
    curves += (None,) * (len(plain) - 2)
    replace(plain, curves=curves, curvature=record.curvature).save(run_folder / "directions.safetensors")
    return run_folder


def test_commands_set_several_coordinates_and_keep_others(bent_run, tmp_path):
    edit = ("edit", bent_run, "--samples", 2, "--out")
    assert call(*edit, tmp_path / "a.png", "--step", "move:0=1", "--step", "align:3=0", "--keep", "1,2").exit_code == 0
    steps = json.loads((tmp_path / "a.json").read_text())["steps"]
    assert [each["keep"] for each in steps] == [[1, 2], [1, 2]]
    assert call(*edit, tmp_path / "b.png", "--recipe", tmp_path / "a.json").exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert call(*edit, tmp_path / "all.png", "--step", "move:0=0.1", "--keep", "all").exit_code == 0
    assert json.loads((tmp_path / "all.json").read_text())["steps"][0]["keep"] == [1, 2, 3, 4, 5]
    align = ("align", bent_run, "--direction", "0,1", "--samples", 2)
    done = call(*align, "--to", "0,0.5", "--to", "25%,9999", "--keep", "4")
    assert (
        done.exit_code == 0
        and "2 of 2 samples stop before" in done.stderr
        and ", at " in done.stderr
        and "0, 0.5" not in done.stderr
    )
    with Image.open(bent_run / "align-0-1.png") as sheet:
        assert json.loads(sheet.text[MADE_KEY])["keep"] == [4]
    for words, message in (
        ([*align, "--to", "0"], "--to: 1 values for 2 directions"),
        ([*align, "--keep", "1"], "too alike"),
        ([*align, "--keep", "9"], "direction 9: there are 6"),
        ([*edit, tmp_path / "c.png", "--step", "move:0=1", "--keep", "0"], "too alike"),
        ([*edit, tmp_path / "c.png", "--recipe", tmp_path / "a.json", "--keep", "1"], "belongs to --step"),
    ):
        refused = call(*words)
        assert refused.exit_code == 2 and message in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr


def test_curves_are_left_out_of_measures_that_are_not_saved_then(bent_run):
    measure = ("measure", bent_run, "--metric", "activeness", "--samples", 3, "--json")
    before = sorted(bent_run.iterdir())
    straight, path = call(*measure, "--straight"), bent_run / "directions.safetensors"
    assert straight.exit_code == 0 and sorted(bent_run.iterdir()) == before
    curved = call(*measure)
    assert curved.stdout != straight.stdout and (bent_run / "activeness.json").exists()
    Directions.load(path).straight.save(path)
    assert call(*measure).stdout == straight.stdout
    for words in (["--again"], ["--metric", "factors", "--name"]):
        refused = call(*measure, "--straight", *words)
        assert refused.exit_code == 2 and "--straight saves nothing" in refused.stderr


def test_a_bend_that_was_stopped_resumes_to_the_same_bytes(run_folder, monkeypatch):
    path = run_folder / "directions.safetensors"
    plain = path.read_bytes()
    assert call("bend", run_folder, "--points", 12).exit_code == 0
    whole, calls = path.read_bytes(), []
    path.write_bytes(plain)

    def stopping(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return bending.unmixed(*arguments)

    monkeypatch.setattr("direction_finder.discovery.bend.unmixed", stopping)
    stopped = call("bend", run_folder, "--points", 12)
    assert stopped.exit_code == 130 and "Repeat the command to resume it" in stopped.stderr
    assert path.read_bytes() == plain
    calls[:] = [1] * 10
    assert call("bend", run_folder, "--points", 12).exit_code == 0
    assert path.read_bytes() == whole and len(calls) == 10 + 12 - 4


def test_learn_curves_too(dcgan_file, tmp_path):
    learn = ("learn", "--generator", f"dcgan:{dcgan_file}", "--points", 3, "--out", tmp_path / "run")
    result = call(*learn, "--curved")
    assert result.exit_code == 0 and "curved" in result.stdout
    curved = Directions.load(tmp_path / "run")
    assert curved.curvature["points"] == 128 and curved.curvature["at"] == curved.config["at"]


@pytest.mark.parametrize(
    "words", [["--points", "7"], ["--points", "x"], ["--max-batch", "1"], ["--seed", "-1"], ["--class", "1"]]
)
def test_bad_options_are_refused(words, run_folder):
    before = (run_folder / "directions.safetensors").read_bytes()
    result = call("bend", run_folder, *words)
    assert result.exit_code == 2 and (run_folder / "directions.safetensors").read_bytes() == before
