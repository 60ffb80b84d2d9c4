"""The methods by name, methods of the user's, and what is refused before anything slow."""

import pytest
import torch

from direction_finder.directions import Directions, Finding
from direction_finder.discovery.configs import SearchConfig
from direction_finder.discovery.methods import METHODS, configure, find, find_with, setting_names
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule
from direction_finder.generators.outline import Outline
from tests.planted import Planted, planted

DIM = 6


@pytest.fixture
def generator():
    return planted(DIM)


@pytest.mark.parametrize("method", METHODS)
def test_settings_become_the_methods_dataclass(method):
    config = configure(method, {"dims": [1, 3], "seed": 4})
    assert type(config) is METHODS[method].config and (config.dims, config.seed) == ((1, 3), 4)
    assert {"dims", "layers", "seed", "num_directions"} <= set(setting_names(method))


@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("pca", {}, "unknown method 'pca': expected one of jacobian, hessian-direct, mean-field, hessian, orojar, "),
        ("random", {"steps": 3}, "method random has no setting steps; hessian and orojar have it"),
        ("random", {"mood": 3}, "method random has no setting mood; it has class_index, num_directions"),
        ("hessian", {"steps": 0}, "steps is 0"),
    ],
)
def test_what_a_method_does_not_take_is_refused(method, settings, words):
    with pytest.raises(InputError, match=words):
        configure(method, settings)


def rows(generator, config):
    return torch.eye(DIM)[:3].flip(0) * 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 3}, "a method of your own has no setting steps; hessian and orojar have it"),
        ({"mood": 3}, "a method of your own has no setting mood; it has class_index"),
        ({"dims": (4, 6)}, "dims 4-6: planted has dimensions 0 to 5"),
        ({"layers": (0, 1)}, "layers 0-1: planted has layers 0 to 0"),
        ({"num_directions": 7}, "num_directions 7"),
        ({"class_name": 0}, "unconditional"),
        ({"part": "mid"}, "part 'mid' does not exist: planted has all"),
        ({"part": "all", "dims": (0, 2)}, "leave out `dims` and `layers`"),
        ({"part": "all", "layers": (0, 0)}, "leave out `dims` and `layers`"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_method_is_called(generator, settings, words):
    called = []
    with pytest.raises(InputError, match=words):
        find(generator, lambda *given: called.append(given), **settings)
    assert not called


def test_rows_become_a_record_that_says_how_it_was_made(generator):
    found = find(generator, rows, seed=3, num_directions=2)
    assert torch.equal(found.vectors, torch.eye(DIM)[[2, 1]]) and found.orthonormal
    assert (found.method, found.seed, found.generator) == ("rows", 3, "planted")
    assert found.weights_sha256 == generator.weights_sha256 and found.scores == (None, None)
    assert found.finding.reason == "rows returned"


def test_what_a_method_costs_is_counted(generator):
    def drawing(given, config):
        given(torch.randn(5, 1, DIM, requires_grad=True))
        given(torch.randn(2, 1, DIM))
        return rows(given, config)

    finding = find(generator, drawing).finding
    assert (finding.images, finding.gradients) == (7, 5)


def test_rows_may_be_those_of_the_searched_dimensions(generator):
    whole = find(generator, lambda given, config: torch.eye(DIM)[2:4], dims=[2, 4])
    part = find(generator, lambda given, config: torch.eye(3)[:2], dims=(2, 4))
    assert torch.equal(whole.vectors, part.vectors) and torch.equal(part.vectors, torch.eye(DIM)[2:4])
    assert part.config["dims"] == [2, 4]


def test_rows_that_are_not_orthonormal_are_told_to_be_so(generator):
    found = find(generator, lambda given, config: torch.tensor([[3.0, 4, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]))
    assert not found.orthonormal and torch.allclose(found.vectors[0, :2], torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (torch.eye(5), r"returned \(5, 5\): expected rows \(num, 6\)"),
        (torch.ones(DIM), r"returned \(6,\)"),
        ([[1.0] * DIM], "returned list"),
        (None, "returned NoneType"),
        (torch.zeros(1, DIM), "row 0 is not of unit length"),
        (torch.full((1, DIM), torch.nan), "NaN"),
    ],
)
def test_what_is_no_directions_is_refused(generator, given, words):
    with pytest.raises(InputError, match=words):
        find(generator, lambda *_: given)


def test_a_method_may_search_by_another(generator):
    class Twice:
        def __call__(self, given, config):
            assert type(config) is SearchConfig
            return find(given, "random", seed=config.seed, score_samples=2)[::-1]

    inner = find(generator, "random", seed=5, score_samples=2)
    found = find(generator, Twice(), seed=5)
    assert found == inner[::-1] and found.method == "random"
    assert found.finding.reason == "Twice returned" and found.finding.images == inner.finding.images + 1  # its probe
    assert "run" not in vars(generator)


def test_spaces_stand_for_dimensions():
    class Split(WrappedModule):
        @property
        def outline(self):
            return Outline(self.name, self.dim, chunk=2)

    found = find(Split(Planted(DIM, 0), DIM), "coordinates", part="mid", score_samples=0)
    assert found.names == ("z2", "z3") and found.config["dims"] == [2, 3]


def test_a_method_is_called_with_its_configuration(generator):
    found = find_with(generator, "coordinates", configure("coordinates", {"score_samples": 1, "max_batch": 8}))
    assert found == find(generator, "coordinates", score_samples=1, max_batch=8)
    assert isinstance(found.finding, Finding) and found.finding.images == 1 + 2 * DIM
    assert isinstance(found, Directions) and found.scores == tuple(sorted(found.scores, reverse=True))
