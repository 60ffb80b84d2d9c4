"""The loop that trainings share, with a trainer of one small layer: it stops, resumes exactly, and ends in one line."""

from copy import deepcopy

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from direction_finder.errors import Diverged, InputError
from direction_finder.progress import Progress
from direction_finder.randomness import stream
from direction_finder.training.loop import Trainer, adams, build, run
from direction_finder.training.state import Networks, follow, snapshot


class Layer(Networks):
    def __init__(self):
        super().__init__()
        self.generator = nn.Linear(3, 2)
        self.average = deepcopy(self.generator).requires_grad_(False)


class Doubling(Trainer):
    """Learns to double a number, from random numbers."""

    cure = "smaller numbers"

    def __init__(self, total: int = 6, seed: int = 0):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.players = Layer()
        self.optimisers = adams(self.players, {"generator": 0.1}, 0.9)
        self.seed, self.total, self.length = seed, total, f"`steps` {total}"

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        x = torch.randn(4, 3, generator=rng)
        loss = (self.players.generator(x) - 2 * x[:, :2]).square().mean()
        self.optimisers["generator"].zero_grad()
        loss.backward()
        self.optimisers["generator"].step()
        return {"loss": loss.item()}

    def follow(self, step: int) -> None:
        follow(self.players.average, self.players.generator, 0.5)

    def preview(self, step: int) -> Tensor:
        return torch.full((1, 3, 2, 2), float(step))


class Failing(Doubling):
    """Its loss is given for each step, and whether it has collapsed."""

    def __init__(self, losses: list[float], collapsed_at: int = 0):
        super().__init__(len(losses))
        self.losses, self.collapsed_at, self.now = losses, collapsed_at, 0

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        self.now = step
        return {"fine": 1.0, "loss": self.losses[step - 1]}

    def collapse(self, finite: bool) -> str | None:
        return "it draws nothing" if self.now == self.collapsed_at else None


class Placed(Doubling):
    def position(self, step: int) -> dict[str, float]:
        return {"shown": 4.0 * step}

    def weights(self, step: int) -> dict[str, Tensor]:
        return {"step": torch.tensor(step)}


def trained(trainer: Trainer, stop: int | None = None, **given) -> tuple[bytes, list[Progress]]:
    """Return the bytes of the networks, and what was reported."""
    seen = []

    def on_step(progress: Progress) -> None:
        seen.append(progress)
        if progress.step == stop:
            progress.stop()

    run(trainer, on_step=on_step, **given)
    return save(trainer.players.state_dict()), seen


def half_done() -> dict[str, Tensor]:
    return load(save(trained(Doubling(), stop=3)[1][-1].state()))


def test_it_trains_until_the_total():
    networks, seen = trained(Doubling())
    assert [(each.step, each.total, each.phase) for each in seen] == [(n, 6, "training") for n in range(1, 7)]
    assert networks != save(Doubling().players.state_dict())
    silent = Doubling()
    run(silent)
    assert save(silent.players.state_dict()) == networks


def test_it_stops_when_asked():
    networks, seen = trained(Doubling(), stop=3)
    assert [each.step for each in seen] == [1, 2, 3]
    assert networks == trained(Doubling(total=3))[0]


@pytest.mark.parametrize("at", [1, 3, 5])
def test_resumed_equals_uninterrupted(at):
    networks, seen = trained(Doubling())
    state = load(save(trained(Doubling(), stop=at)[1][-1].state()))
    again, later = trained(Doubling(), resume=state)
    assert again == networks
    assert [(each.step, each.values) for each in later] == [(each.step, each.values) for each in seen[at:]]


def test_each_step_has_random_numbers_of_its_own():
    class Drawing(Doubling):
        def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
            return {"drawn": torch.rand(1, generator=rng).item()}

    def drawn(seed):
        return [each.values["drawn"] for each in trained(Drawing(seed=seed))[1]]

    assert len({*drawn(0), *drawn(1)}) == 12
    assert drawn(0)[4] == torch.rand(1, generator=stream(0, "step 5")).item()


def test_a_run_that_is_done_trains_nothing_and_reports_its_last_step_again():
    state = half_done()
    networks, seen = trained(Doubling(total=3), resume=state)
    assert [(each.step, each.values) for each in seen] == [(3, {})]
    assert networks == trained(Doubling(total=3))[0]


def test_a_run_that_is_beyond_its_total_is_refused():
    with pytest.raises(InputError, match=r"^`steps` 2: the run is at step 3 already; set it higher to train longer$"):
        run(Doubling(total=2), resume=half_done())


def test_a_snapshot_starts_a_run_anew():
    trainer = Doubling()
    run(trainer)
    kept = snapshot(trainer.players)
    other = Doubling(total=1)
    other.optimisers = adams(other.players, {"generator": 1e-9}, 0.9)
    _, seen = trained(other, start=kept)
    assert [each.step for each in seen] == [1]
    assert torch.allclose(other.players.generator.weight, trainer.players.average.weight, atol=1e-3)
    with pytest.raises(InputError, match="of other networks"):
        run(Doubling(), start={"average.weight": torch.zeros(1)})


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_losses_that_are_not_finite_end_the_training_in_one_line(loss):
    seen = []
    with pytest.raises(Diverged) as caught:
        run(Failing([1.0, 2.0, loss, 1.0]), on_step=seen.append)
    assert str(caught.value) == (
        "the losses are not finite at step 3: the training has diverged; resume from the last saved state with smaller "
        "numbers"
    )
    assert [each.step for each in seen] == [1, 2]


@pytest.mark.parametrize("loss", [1.0, float("nan")])
def test_a_trainer_can_tell_that_it_has_collapsed(loss):
    with pytest.raises(Diverged, match=r"^it draws nothing at step 2: the training has diverged; .* smaller numbers$"):
        run(Failing([1.0, loss, 1.0], collapsed_at=2))


def test_what_is_reported():
    *_, last = trained(Placed(total=2))[1]
    assert list(last.values) == ["shown", "loss"] and last.values["shown"] == 8
    assert int(last.weights()["step"]) == 2 and int(last.state()["step"]) == 2
    assert torch.equal(last.preview(), torch.full((1, 3, 2, 2), 2.0))
    assert trained(Doubling(total=1))[1][-1].weights is None


def test_the_average_follows_after_every_step():
    trainer = Doubling(total=1)
    before = trainer.players.average.weight.clone()
    run(trainer)
    halfway = (before + trainer.players.generator.weight) / 2
    assert torch.allclose(trainer.players.average.weight, halfway) and not torch.equal(before, halfway)


def test_building_networks_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    layer = build(Layer, "cpu")
    assert layer.training and torch.equal(before, torch.get_rng_state())
