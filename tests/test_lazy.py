"""Names that are imported when they are asked for."""

import sys

import pytest

from direction_finder.lazy import attach


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package of two modules, and remove it from `sys.modules` afterwards."""
    folder = tmp_path / "lazy_example"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "cold.py").write_text("hot = 3\nother = 4\n")
    (folder / "warm.py").write_text("from lazy_example import cold\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "lazy_example"
    for name in [name for name in sys.modules if name.startswith("lazy_example")]:
        del sys.modules[name]


def test_a_name_is_imported_from_its_home_when_it_is_asked_for(package):
    get, _ = attach(package, {"hot": "cold"})
    assert "lazy_example.cold" not in sys.modules
    assert get("hot") == 3
    assert "lazy_example.cold" in sys.modules and "lazy_example.warm" not in sys.modules


def test_modules_are_found_by_their_names(package):
    get, _ = attach(package, {"hot": "cold"})
    assert get("warm") is sys.modules["lazy_example.warm"]


@pytest.mark.parametrize("name", ["other", "nothing", "__path__", "_cold"])
def test_other_names_are_not_there(package, name):
    get, _ = attach(package, {"hot": "cold"})
    with pytest.raises(AttributeError, match=f"module 'lazy_example' has no attribute '{name}'"):
        get(name)


def test_private_modules_are_not_looked_for(package, tmp_path):
    (tmp_path / "lazy_example" / "_hidden.py").touch()
    get, _ = attach(package, {})
    with pytest.raises(AttributeError, match="_hidden"):
        get("_hidden")


def test_dir_lists_the_names_in_order():
    _, listed = attach("anything", {"b": "x", "a": "y"})
    assert listed() == ["a", "b"]
