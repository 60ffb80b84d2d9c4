"""The version of the installed package."""

import importlib.metadata

import direction_finder
from direction_finder import version


def test_it_is_that_of_the_installed_package():
    installed = importlib.metadata.version("direction-finder")
    assert version.package_version() == direction_finder.__version__ == installed
    assert installed[0].isdigit()


def test_it_is_unknown_where_nothing_is_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", missing)
    assert version.package_version() == direction_finder.__version__ == "unknown"
