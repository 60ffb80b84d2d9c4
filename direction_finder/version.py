"""Look up the installed version of this package."""

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """Return the version, e.g. "0.1.0"; "unknown" if the package is used without being installed."""
    try:
        return version("direction-finder")
    except PackageNotFoundError:
        return "unknown"
