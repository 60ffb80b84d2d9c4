import dataclasses
import json
import math
import re

import pytest
import torch
from torch import nn

from benchmarks import memory
from direction_finder import discovery
from direction_finder.discovery import METHODS, configure, tuning
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.discovery.tuning import (
    Fixed,
    Rehearsal,
    choose_batch,
    choose_precision,
    with_margin,
    without_margin,
)
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


@pytest.mark.parametrize("method", ["hessian", "orojar", "hessian-direct", "jacobian", "mean-field"])
def test_the_work_measured_is_a_piece_of_the_method(method, small):
    config = METHODS[method].resolve(small, configure(method, {"class_index": 1}))
    work = METHODS[method].work
    rows = []
    original = small.run
    small.run = lambda latents, *rest: rows.append(len(latents)) or original(latents, *rest)
    exact = work(SearchSpace(small, config), config, 6)
    assert max(rows) == {"hessian": 4, "orojar": 6, "hessian-direct": 6, "jacobian": 6, "mean-field": 6}[method]
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


NOTHING = Fixed(0, 0)


class Machine:
    """In place of `PeakMeter` and a method: a process of 1 GiB whose need for a number of rows is told, in GiB."""

    def __init__(self, monkeypatch, needs, fixed: Fixed = NOTHING, most: int = 512):
        self.needs, self.base, self.highest, self.tried = needs, GIB, GIB, []
        self.rehearsal = Rehearsal(lambda space, config: fixed, self.batches, lambda space, config: most)
        monkeypatch.setattr(tuning, "PeakMeter", lambda device: self)

    def start(self) -> None:
        pass

    def batches(self, space: SearchSpace, config, rows: int) -> None:
        self.tried.append((config.precision, rows))

    def need(self) -> int:
        need = int(self.needs(*self.tried[-1]) * GIB)
        self.highest = max(self.highest, self.base + need)
        return need

    def choose(self, generator, work=METHODS["hessian"].work, **settings):
        return choose_batch(generator, configure("hessian", settings), work, self.rehearsal)


@pytest.mark.parametrize("limit", [1.3, 2.0, 3.0, 6.0, 100.0])
@pytest.mark.parametrize(
    "needs",
    [
        lambda precision, rows: rows / 64,
        lambda precision, rows: 0.05 + rows / 100,
        lambda precision, rows: 0.05 + rows / 500,
        lambda precision, rows: (rows / 40) ** 1.15,
        lambda precision, rows: rows / 128 if rows < 32 else rows / 100,
    ],
    ids=["proportional", "with a constant", "mostly constant", "steeper", "with a step"],
)
def test_the_batch_fills_the_limit_and_none_that_is_tried_exceeds_it(needs, limit, small, monkeypatch):
    machine = Machine(monkeypatch, needs)
    chosen, measured = machine.choose(small, memory_limit=limit)
    assert chosen.max_batch % 4 == 0
    assert machine.highest <= limit * GIB
    assert ("exact", chosen.max_batch) in machine.tried
    assert GIB + with_margin(needs("exact", chosen.max_batch) * GIB) <= limit * GIB
    more = int(chosen.max_batch * 1.6) + 4
    assert chosen.max_batch == 512 or GIB + with_margin(needs("exact", more) * GIB) > limit * GIB
    assert len(machine.tried) <= 7
    figures = measured["memory"]
    assert figures["max_batch"] == chosen.max_batch
    assert figures["peak_gib"] <= limit
    assert figures["gib_per_row"] == pytest.approx(needs("exact", chosen.max_batch) / chosen.max_batch, rel=1e-6)


def test_no_more_rows_are_tried_than_a_run_computes_at_once(small, monkeypatch):
    machine = Machine(monkeypatch, lambda precision, rows: rows / 1000, most=50)
    assert machine.choose(small, memory_limit=100.0)[0].max_batch == 48


def test_a_batch_that_takes_more_than_foreseen_is_not_chosen(small, monkeypatch):
    machine = Machine(monkeypatch, lambda precision, rows: rows / 100 if rows <= 20 else 1.0)
    chosen, _ = machine.choose(small, memory_limit=2.0)
    assert 12 <= chosen.max_batch <= 20
    assert len(machine.tried) > len({rows for _, rows in machine.tried if rows <= 20})  # it was tried


@pytest.mark.parametrize("fixed", [NOTHING, Fixed(GIB, 0), Fixed(0, 2 * GIB)])
def test_what_a_run_needs_besides_counts_and_the_least_limit_that_is_named_is_enough(fixed, small, monkeypatch):
    machine = Machine(monkeypatch, lambda precision, rows: rows / 64, fixed)
    with pytest.raises(InputError, match=r"memory_limit is 1\.06 GiB, but 4 rows .*; give at least ([\d.]+)") as raised:
        machine.choose(small, memory_limit=1.06)
    least = float(re.search(r"at least ([\d.]+)", str(raised.value))[1])
    assert machine.choose(small, memory_limit=least)[0].max_batch >= 4
    with pytest.raises(InputError):
        machine.choose(small, memory_limit=least - 0.08)


def test_a_process_that_was_above_the_limit_before_is_refused(small, monkeypatch):
    machine = Machine(monkeypatch, lambda precision, rows: rows / 640)
    machine.highest = 2 * GIB
    with pytest.raises(InputError, match=r"need 2\.000 GiB with a margin; give at least 2\.05"):
        machine.choose(small, memory_limit=1.9)


@pytest.mark.parametrize(("limit", "rows", "precision"), [(9.0, 8, "bfloat16:layer0"), (1.15, None, "exact")])
def test_half_precision_is_measured_with_as_many_rows_as_fit(limit, rows, precision, small, monkeypatch):
    outcome = {"exact": (1.0, 1.0), "bfloat16:layer0": (0.99, 0.5), "bfloat16:layer1": (0.99, 0.9)}
    pretended, measured_with = Pretended(monkeypatch, outcome), []

    def work(space, config, rows):
        measured_with.append(rows)
        return pretended(space, config, rows)

    small.register_buffer("many", torch.zeros(2**24))  # half precision may copy 64 MiB of weights
    machine = Machine(monkeypatch, lambda precision, rows: rows / 64)
    chosen, measured = machine.choose(small, work, memory_limit=limit, precision="fast")
    assert set(measured_with) == ({rows} if rows else set())
    assert chosen.precision == precision
    assert ("precision" in measured) == bool(rows)


def test_half_precision_that_takes_too_much_memory_is_not_chosen(small, monkeypatch):
    outcome = {"exact": (1.0, 1.0), "bfloat16:layer0": (0.99, 0.5), "bfloat16:layer1": (0.99, 0.9)}
    machine = Machine(monkeypatch, lambda precision, rows: rows / 64 if precision == "exact" else 0.7)
    work = Pretended(monkeypatch, outcome)
    chosen, measured = machine.choose(small, work, memory_limit=1.8, precision="fast")
    assert chosen.precision == "exact" and "precision" not in measured


def test_the_margin_and_its_inverse():
    for need in (0.0, 1e7, 6.5e7, 2.0**26, 1e9):
        assert without_margin(with_margin(need)) == pytest.approx(need)
        assert with_margin(need) >= 1.1 * need


@pytest.mark.slow
def test_a_run_stays_within_its_limit_and_within_the_least_limit_that_a_refusal_names():
    arguments = ["--generator", "shapes-64", "--class", "cube", "--method", "hessian-direct", "--points", "3"]
    within = memory.run([*arguments, "--memory-limit", "1"], 1)
    assert within.status == 0, within.said
    assert within.peak <= 1
    refused = memory.run([*arguments, "--memory-limit", "0.1"], 1)
    assert refused.status == 2 and len(refused.said.splitlines()) == 1
    least = memory.LEAST.search(refused.said)[1]
    within = memory.run([*arguments, "--memory-limit", least], 1)
    assert within.status == 0, within.said
    assert within.peak <= float(least)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"precision": "half"}, "expected exact, fast, or one of bfloat16, float16 followed by the stage"),
        ({"precision": "bfloat16"}, "expected exact, fast"),
        ({"precision": "bfloat16:layer7"}, "has no stage 'layer7'; it has layer0, layer1, image"),
        ({"memory_limit": 0.0}, "memory_limit is 0.0: expected a number above 0"),
        ({"memory_limit": -1.0}, "memory_limit is -1.0: expected a number above 0"),
        ({"memory_limit": math.inf}, "memory_limit is inf: expected a finite number"),
        ({"memory_limit": math.nan}, "memory_limit is nan: expected a finite number"),
        ({"memory_limit": 1e7}, "memory_limit is 10000000.0: expected at most 1000000"),
    ],
)
def test_bad_settings_are_named(settings, words, small):
    with pytest.raises(InputError, match=words):
        discovery.find(small, "hessian", steps=1, batch_size=1, **settings)


def test_methods_that_do_no_long_work_refuse_precision():
    with pytest.raises(InputError, match="method random has no setting precision"):
        discovery.find(planted(8), "random", precision="fast")
