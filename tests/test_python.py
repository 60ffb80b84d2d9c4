"""Factories that the user names: found by module or file, called out of sight of the command, their errors told."""

import sys

import pytest

from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.generators.python import absolute_target, source_sha256
from tests.conftest import call

GAN = """
import argparse, sys
import torch
from torch import nn
from direction_finder.generators.base import Generator

def make(dim=6):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(dim, 3 * 64), nn.Tanh(), nn.Unflatten(1, (3, 8, 8)))

ready = make()

def load():
    return make()

def size():
    network = make()
    network.load_state_dict(make(7).state_dict())
    return network

def key():
    return make().load_state_dict({"g_ema": {}}["generator"])

def argument(dim):
    return make(dim)

def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--z", type=int, default=6)
    return make(parser.parse_args().z)

def leaves():
    sys.exit(3)

def leaves_quietly():
    sys.exit(0)

class Silent(BaseException):
    def __str__(self):
        raise ValueError

def silent():
    raise Silent

def stops():
    raise KeyboardInterrupt

class LeavesLater(nn.Linear):
    def forward(self, z):
        sys.exit(0)

def leaves_later():
    return LeavesLater(6, 3)

class Whole(Generator):
    name, dim, resolution, activation_names, weights_sha256 = "whole", 6, 8, ("image",), "ab"
    def __init__(self, **others):
        super().__init__()
        vars(self).update(others)
        self.network = make()
        self.calls = 0
    def run(self, latents, classes, at, half=None):
        self.calls += 1
        if self.calls == 5:
            raise LookupError("no more")
        return {"image": self.network(latents[:, 0])}

def whole():
    return Whole()

def no_size():
    return Whole(dim="6")

def negative():
    return Whole(num_layers=-1)

def unnamed():
    return Whole(num_classes=2)

def elsewhere():
    class Elsewhere(Whole):
        def run(self, *given, **settings):
            return {}
    return Elsewhere()

def nothing():
    return 5

class Bare(Generator):
    def run(self, latents, classes, at, half=None):
        return {}
"""


@pytest.fixture
def gans(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    (tmp_path / "gans.py").write_text(GAN)
    (tmp_path / "wrong.py").write_text("def load(:\n")
    (tmp_path / "needy.py").write_text("import no_such_module_y\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "gans.py").write_text(GAN.replace("dim=6", "dim=5"))
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (tmp_path / "nets" / "inner.py").write_text(GAN)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("target", ["gans:load", "gans.py:load", "./gans.py:load", "gans:ready", "gans:arguments"])
def test_a_module_or_a_file_is_named(target, gans):
    assert load_generator(f"python:{target}").dim == 6


def test_two_files_of_one_name_are_two_modules(gans):
    assert load_generator("python:gans.py:load").dim == 6
    assert load_generator("python:other/gans.py:load").dim == 5
    assert load_generator(f"python:{gans}/gans.py:load").dim == 6
    assert load_generator("python:other/gans.py:load").name == "python:gans.py:load"  # no folder in the file


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("gans:size", r"size mismatch for 0.weight.*\(gans.py:\d+\)"),
        ("gans:key", r"KeyError: 'generator' \(gans.py:\d+\)"),
        ("gans:argument", r"called without arguments, failed: .*missing 1 required positional argument: 'dim'"),
        ("gans:leaves", r"SystemExit: 3 \(gans.py:\d+\)"),
        ("gans:leaves_quietly", r"SystemExit: 0 \(gans.py:\d+\)"),
        ("gans:silent", r"called without arguments, failed: Silent \(gans.py:\d+\)"),
        ("gans:leaves_later", r"SystemExit: 0 \(gans.py:\d+\)"),
        ("gans:no_size", "returns a Generator: expected int, got str, at dim"),
        ("gans:negative", "returns a Generator: expected int >= 1, at num_layers"),
        ("gans:unnamed", "has 0 class_names for 2 classes"),
        ("gans:elsewhere", "returns a dict: expected a dict with the images as 'image'"),
        ("a\0b.py:load", "null byte"),
        ("gans:nothing", "returned type int: expected an nn.Module"),
        ("gans:Bare", "a Generator without name"),
        ("gans:missing", "gans has no missing"),
        ("wrong:load", r"SyntaxError: .*\(wrong.py, line 1\)"),
        ("wrong.py:load", r"SyntaxError: .*\(wrong.py, line 1\)"),
        ("needy:load", r"No module named 'no_such_module_y' \(needy.py:1\)"),
        ("nets.inner:load", "RuntimeError: imported"),
        ("no_such_module_x:load", "there is no module no_such_module_x in"),
        ("no_such.py:load", "no such file"),
        ("gans", "expected python:package.module:factory"),
        ("gans:", "expected python:package.module:factory"),
    ],
)
def test_what_goes_wrong_is_one_line_with_its_place(target, words, gans):
    with pytest.raises(InputError, match=words) as refusal:
        load_generator(f"python:{target}")
    assert "\n" not in str(refusal.value)
    assert call("learn", "--generator", f"python:{target}", "--out", gans / "run").exit_code == 2
    assert not (gans / "run").exists()


def test_a_generator_of_the_users_that_fails_later_is_one_line(gans):
    generator = load_generator("python:gans:whole")
    generator(generator.samples(1).latents)
    with pytest.raises(InputError, match=r"python:gans:whole failed: LookupError: no more \(gans.py:\d+\)"):
        generator(generator.samples(1).latents)
    with pytest.raises(InputError, match="latents have shape"):
        generator(generator.samples(1).latents[0])


def test_ctrl_c_in_a_factory_is_no_error_of_the_user(gans):
    with pytest.raises(KeyboardInterrupt):
        load_generator("python:gans:stops")
    result = call("learn", "--generator", "python:gans:stops", "--out", gans / "run")
    assert result.exit_code == 130 and result.stderr.splitlines()[-1] == "Stopped." and not (gans / "run").exists()


def test_the_factory_sees_no_arguments_and_is_called_once(gans, monkeypatch):
    (gans / "counted.py").write_text(
        GAN
        + "def counted():\n    with open('calls', 'a') as file: file.write(f'{len(sys.argv)} ')\n    return make()\n"
    )
    monkeypatch.setattr(sys, "argv", ["direction-finder", "learn", "--unknown"])
    for arguments in (
        ("learn", "--generator", "python:counted:counted", "--points", 2, "--out", "a"),
        ("learn", "--generator", "python:counted:counted", "--points", 2, "--seed", 1, "--out", "b"),
        ("measure", "a", "b", "--metric", "activeness", "--samples", 2),
    ):
        (gans / "calls").unlink(missing_ok=True)
        assert call(*arguments).exit_code == 0
        assert (gans / "calls").read_text() == "1 "
    assert sys.argv == ["direction-finder", "learn", "--unknown"]


def test_weights_that_differ_at_every_load_are_named(gans):
    (gans / "drawn.py").write_text(
        GAN + "def drawn():\n    network = make()\n    torch.seed()\n"
        "    network.register_buffer('noise_0', torch.randn(3))\n    return network\n"
    )
    assert call("learn", "--generator", "python:drawn:drawn", "--points", 2, "--out", "run").exit_code == 0
    for arguments in (("rank", "run", "--ranges", "none"), ("render", "grid", "run"), ("learn", "--resume", "run")):
        result = call(*arguments)
        assert result.exit_code == 2
        assert "1 of 3 tensors differ, first noise_0" in result.stderr


def test_the_hash_is_of_every_file_that_runs_and_nothing_is_imported(gans):
    before = source_sha256("nets.inner:load", gans)
    assert before
    assert before == source_sha256("nets.inner:other", gans)
    (gans / "nets" / "__init__.py").write_text("raise RuntimeError('changed')\n")
    assert source_sha256("nets.inner:load", gans) != before
    assert source_sha256("gans.py:load", gans) == source_sha256("gans:load", gans)
    assert source_sha256("sys:exit", gans) is None
    assert source_sha256("nets.missing:load", gans) is None
    assert "nets" not in sys.modules
    assert absolute_target("gans.py:load") == f"{gans}/gans.py:load"
    assert absolute_target("gans:load") == "gans:load"
