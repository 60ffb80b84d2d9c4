"""What every frozen generator answers, by one that does nothing else."""

import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.generators.base import (
    IMAGE,
    Generator,
    Half,
    Outline,
    as_rgb,
    class_labels,
    class_phrase,
)
from direction_finder.samples import Samples

DIM, LAYERS = 4, 3


class Stages(Generator):
    """Three stages, of which it keeps a list; a linear layer in the second."""

    def __init__(self, class_names=("cat", "dog", "bird")):
        super().__init__()
        self.layer = torch.nn.Linear(DIM, DIM)
        self.name, self.dim, self.num_layers, self.resolution, self.weights_sha256 = "stages", DIM, LAYERS, 1, "ab"
        self.class_names, self.num_classes = class_names, len(class_names)
        self.activation_names = self.stage_names = ("first", "second", IMAGE)
        self.computed: list[str] = []
        self.freeze()

    def run(self, latents, classes, at, half=None):
        return self.collect(self.stages(latents), at, half)

    def stages(self, latents):
        self.computed.append("first")
        yield "first", latents[:, 0] @ torch.eye(DIM)
        self.computed.append("second")
        second = self.layer(latents[:, 1])
        yield "second", second
        self.computed.append(IMAGE)
        yield IMAGE, second.sum(1).view(-1, 1, 1, 1).expand(-1, 3, 1, 1)


@pytest.fixture
def generator():
    return Stages()


def test_it_stays_frozen(generator):
    assert not any(each.requires_grad for each in generator.parameters())
    assert generator.train() is generator and not generator.training and not generator.layer.training


def test_samples_depend_on_seed_purpose_and_nothing_before(generator):
    few, many = generator.samples(2, seed=1, class_name=0), generator.samples(5, seed=1, class_name=0)
    assert few == many[:2] and few.latents.shape == (2, LAYERS, DIM) and few.space == "z"
    assert torch.equal(few.latents[:, 0], few.latents[:, 2])  # one z for every layer
    for other in (generator.samples(2, seed=2, class_name=0), generator.samples(2, seed=1, class_name=0, purpose="a")):
        assert not torch.equal(other.latents, few.latents)


def test_classes_of_samples_are_the_one_asked_for_or_random(generator):
    for asked in ("dog", "do", "1", 1):
        assert generator.samples(3, class_name=asked).classes.tolist() == [1, 1, 1]
    assert set(generator.samples(60).classes.tolist()) == {0, 1, 2}
    unconditional = Stages(())
    assert unconditional.samples(3).classes.tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="unconditional; leave the class out"):
        unconditional.samples(3, class_name=0)


def test_truncated_samples_are_cut_and_scaled(generator):
    generator.truncation = 0.5
    latents = generator.samples(2000).latents
    assert 0.98 < latents.abs().max() <= 1 and 0.4 < latents.std() < 0.5


@pytest.mark.parametrize("layers", [1, LAYERS])
def test_kept_samples_are_taken_for_every_layer(generator, layers):
    kept = Samples(torch.randn(2, layers, DIM), torch.tensor([2, 0], dtype=torch.int32))
    taken = generator.accept(kept)
    assert taken.latents.shape == (2, LAYERS, DIM) and torch.equal(taken.latents[:, :layers], kept.latents)
    assert taken.classes.tolist() == [2, 0] and taken.classes.dtype == torch.long
    assert generator.accept(kept, "bird").classes.tolist() == [2, 2]
    generator(taken.latents, taken.classes)


def test_samples_that_do_not_say_what_they_are_are_taken_too(generator):
    unsaid = Samples(torch.randn(2, 1, DIM), None, None)
    assert generator.accept(unsaid, 1).space == "z" and generator.accept(unsaid, 1).classes.tolist() == [1, 1]
    assert Stages(()).accept(unsaid).classes.tolist() == [0, 0]
    with pytest.raises(InputError, match="the samples have no class, but stages has 3 classes: name one"):
        generator.accept(unsaid)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (Samples(torch.ones(2, 2, DIM), torch.zeros(2).long()), r"z \(n, 2, 4\) .*: stages takes z \(n, 3, 4\)"),
        (Samples(torch.ones(2, 1, DIM + 1), torch.zeros(2).long()), r"\(n, 1, 5\)"),
        (Samples(torch.ones(2, 1, DIM), torch.zeros(2).long(), "w"), "samples of w .* stages takes z"),
        (Samples(torch.ones(2, 1, DIM), torch.tensor([0, 3])), r"classes \[0, 3\] .*: stages has classes 0 to 2"),
    ],
)  # fmt: skip
def test_samples_of_another_generator_are_refused(generator, samples, words):
    with pytest.raises(InputError, match=words):
        generator.accept(samples)


def test_a_class_is_a_name_part_of_one_or_a_number(generator):
    assert [generator.class_index(each) for each in ("bird", "IR", 2, "2", None)] == [2, 2, 2, 2, None]
    for missing in ("horse", 3, -1):
        with pytest.raises(InputError, match="class"):
            generator.class_index(missing)


def test_an_outline_is_what_directions_need_to_know(generator):
    assert generator.outline == Outline("stages", DIM, LAYERS, ("cat", "dog", "bird"), None, "ab", 1.0, "z")


@pytest.mark.parametrize(
    ("outline", "space", "expected"),
    [
        (Outline("a", 120, 10, chunk=20), "coarse", {"dims": (0, 39)}),  # BigGAN, where z is split
        (Outline("a", 120, 10, chunk=20), "fine", {"dims": (80, 119)}),
        (Outline("a", 24, 10), "coarse", {"layers": (0, 2)}),
        (Outline("a", 24, 10), "mid", {"layers": (3, 6)}),
        (Outline("a", 24, 10), "fine", {"layers": (7, 9)}),
        (Outline("a", 24, 10), "all", {}),
        (Outline("a", 24, 1), None, {}),
    ],
)
def test_parts_of_the_latents_have_names(outline, space, expected):
    assert outline.part(space) == expected


def test_parts_cover_the_latents_once():
    for count in range(3, 20):
        for outline in (Outline("a", 24, count), Outline("a", 5 * count, 1, chunk=5)):
            parts = [next(iter(outline.part(space).values())) for space in ("coarse", "mid", "fine")]
            covered = [number for first, last in parts for number in range(first, last + 1)]
            assert covered == list(range(count if outline.chunk is None else 5 * count))


@pytest.mark.parametrize("outline", [Outline("a", 24, 2), Outline("a", 24, 9, chunk=12)])
def test_of_fewer_than_three_there_are_no_parts(outline):
    with pytest.raises(InputError, match=r"part 'mid' does not exist: a has all; .* numbers with `dims` or `layers`"):
        outline.part("mid")


def test_nothing_is_computed_beyond_what_is_asked_for(generator):
    latents = torch.randn(2, LAYERS, DIM)
    for at, deepest in ((["first"], 1), (["second", "first"], 2), ([IMAGE], 3)):
        generator.computed.clear()
        found = generator.activations(latents, torch.tensor([0, 1]), at)
        assert found.keys() == set(at) and len(generator.computed) == deepest
    assert torch.equal(found[IMAGE], generator(latents, torch.tensor([0, 1])))


def test_half_precision_begins_where_it_is_told_and_gives_floats(generator):
    latents, classes = torch.randn(2, LAYERS, DIM), torch.tensor([0, 1])
    exact = generator.activations(latents, classes, ["first", "second"])
    found = generator.activations(latents, classes, ["first", "second"], Half(torch.bfloat16, "second"))
    assert torch.equal(found["first"], exact["first"]) and found["second"].dtype == torch.float32
    assert not torch.equal(found["second"], exact["second"])
    assert torch.allclose(found["second"], exact["second"], atol=0.05)


def test_what_it_does_not_have_is_refused(generator):
    latents, classes = torch.randn(2, LAYERS, DIM), torch.tensor([0, 1])
    with pytest.raises(InputError, match="stages has no activation 'third'; it has first, second, image"):
        generator.activations(latents, classes, ["first", "third"])
    for wrong in (latents[:, 0], latents[:, :1], latents[:, :, :2]):
        with pytest.raises(InputError, match=r"expected \(batch, 3, 4\)"):
            generator(wrong, classes)
    for none in (None, classes[:1]):
        with pytest.raises(InputError, match=r"stages is class-conditional: .*expected \(2,\)"):
            generator(latents, none)
    generator.differentiable = False
    with pytest.raises(InputError, match=r"stages lets no gradient through .*, but ranking needs gradients"):
        generator.check_differentiable("ranking")


def test_images_have_three_channels():
    grey, alpha = torch.rand(2, 1, 4, 4), torch.rand(2, 4, 4, 4)
    assert torch.equal(as_rgb(grey), grey.repeat(1, 3, 1, 1)) and torch.equal(as_rgb(alpha), alpha[:, :3])
    for other in (torch.rand(2, 2, 4, 4), torch.rand(3, 4, 4)):
        with pytest.raises(InputError, match="expected images"):
            as_rgb(other)


def test_classes_without_names_are_numbered():
    assert class_labels(2) == ("class 0", "class 1") and class_labels(2, ["a", "b"]) == ("a", "b")
    assert class_labels(0) == ()
    assert [class_phrase(name) for name in ("cube", "class 3")] == ["class cube", "class 3"]
    with pytest.raises(InputError, match="1 class names for 2 classes"):
        class_labels(2, ["a"])


@pytest.mark.parametrize("given", [{"n": 0}, {"n": -1}, {"n": 10**30}, {"n": 2.5}, {"n": True}, {"n": 1, "seed": -1}])
def test_a_number_of_samples_that_cannot_be_meant_is_refused(given, dcgan_file):
    with pytest.raises(InputError, match=r"(samples|seed) is .*: expected"):
        load_generator(f"dcgan:{dcgan_file}").samples(**given)
