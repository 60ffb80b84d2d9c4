import dataclasses
import json

import pytest
import torch
from torch import nn

from direction_finder import discovery
from direction_finder.discovery import METHODS, configure, tuning
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.discovery.tuning import choose_batch, choose_precision
from direction_finder.errors import InputError
from direction_finder.generators import Half, WrappedModule, load_generator
from tests.conftest import NUM_CLASSES, call
from tests.planted import planted

GIB = 2**30


@pytest.fixture
def small(dcgan_file):
    return load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


class Products:
    """Which type every convolution and linear layer was computed in."""

    def __init__(self, generator: nn.Module):
        self.types: list[torch.dtype] = []
        for module in generator.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                module.register_forward_hook(lambda _module, _inputs, output: self.types.append(output.dtype))


def test_half_precision_begins_where_asked_and_outputs_are_float32(small, rng):
    products = Products(small)
    latents, classes = small.sample(4, rng)[:, None].requires_grad_(True), torch.tensor([0, 1, 2, 0])
    exact = small.activations(latents, classes, ["layer0", "image"])
    assert products.types == [torch.float32] * 3
    products.types.clear()
    halved = small.activations(latents, classes, ["layer0", "layer1", "image"], Half(torch.bfloat16, "layer1"))
    assert products.types == [torch.float32, torch.bfloat16, torch.float32]
    assert all(tensor.dtype == torch.float32 for tensor in halved.values())
    assert torch.equal(halved["layer0"], exact["layer0"])
    assert 0 < (halved["image"] - exact["image"]).abs().max() < 0.02
    assert torch.autograd.grad(halved["image"].sum(), latents)[0].abs().max() > 0


def test_half_precision_of_biggan_deep(biggan_folder, rng):
    generator = load_generator(f"biggan-deep:{biggan_folder}")
    products = Products(generator.network.layers)
    latents = generator.sample(2, rng)[:, None].expand(-1, generator.num_layers, -1)
    classes = torch.zeros(2, dtype=torch.long)
    exact = generator(latents, classes)
    assert set(products.types) == {torch.float32}
    products.types.clear()
    halved = generator.activations(latents, classes, ["image"], Half(torch.bfloat16, "layer3"))["image"]
    assert set(products.types) == {torch.float32, torch.bfloat16}
    assert 0 < (halved - exact).abs().max() < 0.1


class Pretended:
    """Work whose result and duration depend on the precision as told: {precision: (cosine, seconds)}."""

    def __init__(self, monkeypatch, outcome: dict[str, tuple[float, float]]):
        self.outcome, self.now = outcome, 0.0
        monkeypatch.setattr(tuning.time, "perf_counter", lambda: self.now)

    def __call__(self, space: SearchSpace, config, rows: int) -> torch.Tensor:
        cosine, took = self.outcome[config.precision]
        self.now += took
        return torch.tensor([cosine, (1 - cosine**2) ** 0.5])


@pytest.mark.parametrize(
    ("layer0", "layer1", "chosen", "gain"),
    [
        ((0.985, 0.4), (0.99, 0.5), "bfloat16:layer0", 2.5),
        ((0.97, 0.4), (0.99, 0.5), "bfloat16:layer1", 2.0),
        ((0.80, 0.4), (0.97, 0.5), "exact", 1.0),  # the result changes too much
        ((0.985, 0.95), (0.99, 0.9), "exact", 1.0),  # not worth it
        ((0.985, 40), (0.99, 50), "exact", 1.0),  # a processor without such arithmetic
    ],
)
def test_half_precision_begins_at_the_first_stage_that_keeps_the_result(
    layer0, layer1, chosen, gain, small, monkeypatch
):
    outcome = {"exact": (1.0, 1.0), "bfloat16:layer0": layer0, "bfloat16:layer1": layer1}
    config, measured = choose_precision(
        small, configure("hessian", {"precision": "fast"}), Pretended(monkeypatch, outcome)
    )
    assert config.precision == chosen
    assert measured["times_as_fast"] == pytest.approx(gain)
    assert measured["cosine"] == pytest.approx(outcome[chosen][0], abs=1e-6)


@pytest.mark.parametrize("method", ["hessian", "orojar", "hessian-direct", "jacobian"])
def test_the_work_measured_is_a_piece_of_the_method(method, small):
    config = configure(method, {"class_index": 1})
    work = METHODS[method].work
    rows = []
    original = small.run
    small.run = lambda latents, *rest: rows.append(len(latents)) or original(latents, *rest)
    exact = work(SearchSpace(small, config), config, 6)
    assert max(rows) == {"hessian": 4, "orojar": 6, "hessian-direct": 6, "jacobian": 6}[method]
    if method == "hessian":  # one sample may take more rows than asked for
        many = dataclasses.replace(config, num_probes=8)
        assert METHODS[method].work(SearchSpace(small, many), many, 6).abs().max() > 0
    assert exact.abs().max() > 0
    assert torch.equal(exact, work(SearchSpace(small, config), config, 6))
    halved = dataclasses.replace(config, precision="bfloat16:layer0")
    other = work(SearchSpace(small, halved), halved, 6)
    assert torch.nn.functional.cosine_similarity(exact.flatten(), other.flatten(), dim=0) < 1 - 1e-6


def test_a_wrapped_module_is_halved_as_a_whole(monkeypatch):
    module = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 48), nn.Unflatten(1, (3, 4, 4)))
    generator = WrappedModule(module, 6)
    work = Pretended(monkeypatch, {"exact": (1.0, 1.0), "bfloat16:image": (0.99, 0.5)})
    chosen, _ = choose_precision(generator, configure("jacobian", {"precision": "fast"}), work)
    assert chosen.precision == "bfloat16:image"
    products = Products(generator)
    found = discovery.find(generator, "jacobian", points=4, precision="bfloat16:image", keep_going=True)
    search, probe = products.types[:-2], products.types[-2:]
    assert set(search) == {torch.bfloat16} and set(probe) == {torch.float32}
    exact = discovery.find(generator, "jacobian", points=4, keep_going=True)
    assert (found.vectors[0] @ exact.vectors[0]).abs() > 0.99


def test_the_choice_is_recorded_and_a_resumed_run_keeps_it(dcgan_file, tmp_path):
    folder = tmp_path / "run"
    call("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--method", "hessian",
         "--steps", 2, "--batch-size", 4,
         "--precision", "fast", "--memory-limit", 64, "--out", folder)  # fmt: skip
    content = json.loads((folder / "config.json").read_text())
    assert content["settings"]["precision"] in ("exact", "bfloat16:layer0", "bfloat16:layer1")
    assert content["measured"]["precision"]["cosine"] >= 0.97
    assert content["settings"]["max_batch"] == content["measured"]["memory"]["max_batch"]
    result = call("learn", "--resume", folder, "--steps", 4)
    assert result.exit_code == 0, result.stderr
    after = json.loads((folder / "config.json").read_text())
    assert after["settings"] == content["settings"] | {"steps": 4}


def test_the_batch_fills_the_limit_and_no_more(small, monkeypatch):
    """On a machine whose process takes 1 GiB and 1/64 GiB a row."""
    largest = []
    work = METHODS["hessian"].work

    def watched(space, config, rows):
        largest.append(rows)
        return work(space, config, rows)

    monkeypatch.setattr(tuning, "_peak", lambda device: GIB + max(largest) * GIB // 64)
    for limit, expected in ((2.0, range(52, 65)), (1.2, range(8, 13)), (100, range(512, 513))):
        largest.clear()
        config = configure("hessian", {"memory_limit": limit})
        chosen, measured = choose_batch(small, config, watched)
        assert chosen.max_batch in expected
        assert chosen.max_batch % 4 == 0
        assert max(largest) <= chosen.max_batch
        assert measured["gib_per_row"] == pytest.approx(1 / 64)
    largest.clear()
    with pytest.raises(InputError, match=r"memory_limit 1 GiB: 4 rows at once take 1.06 GiB already"):
        choose_batch(small, configure("hessian", {"memory_limit": 1.0}), watched)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"precision": "half"}, "expected exact, fast, or one of bfloat16, float16 followed by the stage"),
        ({"precision": "bfloat16"}, "expected exact, fast"),
        ({"precision": "bfloat16:layer7"}, "has no stage 'layer7'; it has layer0, layer1, image"),
        ({"memory_limit": 0.0}, "memory_limit is 0.0"),
    ],
)
def test_bad_settings_are_named(settings, words, small):
    with pytest.raises(InputError, match=words):
        discovery.find(small, "hessian", steps=1, batch_size=1, **settings)


def test_methods_that_do_no_long_work_refuse_precision():
    with pytest.raises(InputError, match="method random has no setting precision"):
        discovery.find(planted(8), "random", precision="fast")
