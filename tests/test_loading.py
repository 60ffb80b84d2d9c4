"""The table from a generator's name, file or code to its loader."""

import dataclasses
import re

import pytest
import torch

from direction_finder.class_names import KNOWN, imagenet_names
from direction_finder.errors import InputError
from direction_finder.generators import (
    Generator,
    Untold,
    WrappedModule,
    class_names,
    consequence,
    load_generator,
    loading,
    wrap,
)
from direction_finder.generators.loading import FAMILIES, NAMED, Family
from direction_finder.progress import DownloadBar
from tests.conftest import NUM_CLASSES
from tests.planted import Planted, planted

SETTINGS = [field.name for field in dataclasses.fields(Untold)]


@pytest.fixture
def asked(monkeypatch):
    """What every loader was asked for; each gives a generator at once."""
    seen = []

    def load(asked):
        seen.append(asked)
        return planted(2)

    monkeypatch.setattr(loading, "FAMILIES", {name: Family(load, kind.untold) for name, kind in FAMILIES.items()})
    monkeypatch.setattr(loading, "NAMED", dict.fromkeys(NAMED, load))
    return seen


def test_every_known_name_has_a_loader_and_every_setting_a_family():
    assert NAMED.keys() == KNOWN.keys()
    for name in SETTINGS:
        owners = re.search(rf"\b{name}\b[^()]*\(([a-z, ]*)\)", load_generator.__doc__.partition("Args:")[2])
        assert owners[1].split(", ") == [each for each, kind in FAMILIES.items() if name in kind.untold]


@pytest.mark.parametrize("spec", [*KNOWN, *(f"{family}:some/path.pt" for family in FAMILIES)])
def test_a_loader_is_given_what_was_said(spec, asked, tmp_path):
    generator = load_generator(spec, 0.5, folder=tmp_path)
    (given,) = asked
    path = spec.partition(":")[2]
    assert given[:5] == (spec, path, 0.5, None, tmp_path) and given.untold == Untold()
    assert generator.source == (spec, 0.5, dataclasses.asdict(Untold()))
    if path:
        assert given.short == f"{spec.partition(':')[0]}:path"


@pytest.mark.parametrize("family", [*FAMILIES, *KNOWN])
def test_a_setting_is_for_the_families_that_cannot_read_it(family, asked):
    spec = family if family in KNOWN else f"{family}:path"
    for name in SETTINGS:
        asked.clear()
        if family in FAMILIES and name in FAMILIES[family].untold:
            generator = load_generator(spec, **{name: 3})
            assert asked[0].untold == Untold(**{name: 3}) and generator.source.untold[name] == 3
            continue
        owners = " and ".join(f"{each}:" for each, kind in FAMILIES.items() if name in kind.untold)
        with pytest.raises(InputError, match=f"^{name} is read from the generator {spec}.*for {owners}$"):
            load_generator(spec, **{name: 3})
        assert not asked


@pytest.mark.parametrize("spec", ["", "eyes:", "eyes:path", "dcgan", "dcgan:", "stylegan:path", ":path", "Eyes"])
def test_what_is_no_generator_says_what_is(spec, asked):
    with pytest.raises(InputError, match=f"unknown generator '{spec}': expected a known name.*dcgan:FILE"):
        load_generator(spec)
    assert not asked


@pytest.mark.parametrize("truncation", [0, -0.5])
def test_a_truncation_is_above_zero(truncation, asked):
    with pytest.raises(InputError, match="expected a number above 0"):
        load_generator("eyes", truncation)


@pytest.mark.parametrize("truncation", [float("nan"), float("inf"), "1", True])
def test_a_truncation_is_a_finite_number(truncation, asked):
    with pytest.raises(InputError, match=r"truncation is .*expected a"):
        load_generator("eyes", truncation)
    assert not asked


def test_downloads_are_told_to_a_bar_or_to_a_callable(asked):
    for progress in (True, False, None, print):
        load_generator("biggan-deep-128", progress=progress)
    bar, no, nothing, told = (each.on_download for each in asked)
    assert isinstance(bar, DownloadBar) and no is nothing is None and told is print


def test_it_is_put_on_the_device(asked, monkeypatch):
    monkeypatch.setattr("direction_finder.generators.loading.pick_device", str)  # which refuses meta
    assert load_generator("eyes", device="meta").device == torch.device("meta")


def test_settings_reach_the_file(dcgan_file):
    plain = load_generator(f"dcgan:{dcgan_file}")
    classes = load_generator(f"dcgan:{dcgan_file}", 0.7, num_classes=NUM_CLASSES, output_activation="none")
    assert (plain.num_classes, classes.num_classes, classes.dim) == (0, NUM_CLASSES, plain.dim - NUM_CLASSES)
    assert plain.name == classes.name == "dcgan:small" and classes.truncation == 0.7
    latents = 5 * torch.randn(2, 1, classes.dim)
    assert classes(latents, torch.tensor([0, 1])).abs().max() > 1  # no tanh
    again = load_generator(classes.source.spec, classes.source.truncation, **classes.source.untold)
    assert again.source == classes.source and torch.equal(
        again(latents, torch.tensor([0, 1])), classes(latents, torch.tensor([0, 1]))
    )


def test_a_module_is_wrapped_and_has_no_source():
    generator = wrap(Planted(4, 0), 4, name="mine")
    assert isinstance(generator, WrappedModule) and isinstance(generator, Generator)
    assert (generator.name, generator.dim, generator.source) == ("mine", 4, None)


def test_class_names_of_known_names_need_no_weights(asked):
    assert class_names("eyes")[1] == "blue" and class_names("clevr-1fov") == ()
    assert class_names("biggan-deep-256") == class_names("biggan-128") == imagenet_names()
    assert not asked
    assert class_names("dcgan:path") == () and len(asked) == 1


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("python:a:b", "runs that code"),
        ("hf:owner/name", "downloads weights"),
        ("biggan-deep-128", "downloads weights"),
        ("python", None),
        ("hf", None),
        ("eyes", None),
        ("shapes-64", None),
        ("biggan-128", None),
        ("dcgan:path", None),
    ],
)
def test_what_loading_does_beyond_reading_files(spec, expected, monkeypatch):
    monkeypatch.setattr(loading, "local_biggan_deep", lambda spec: True)
    assert consequence(spec, nothing_is_here=True) == expected


def test_published_weights_are_downloaded_once(monkeypatch):
    monkeypatch.setattr(loading, "local_biggan_deep", lambda spec: spec == "biggan-deep-128")
    assert consequence("biggan-deep-128") is None and consequence("biggan-deep-256") == "downloads weights"
