"""Fill the templates of pages. Everything that they insert is escaped, and a page may load nothing from anywhere."""

import base64
import functools
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup


def rendered(name: str, **values: Any) -> Iterator[str]:
    """Yield the text of a page in parts. name: the template. values: what it inserts."""
    style, script = _text("page.css"), _text("page.js")
    policy = "; ".join((
        "default-src 'none'", "img-src data:", "media-src data:", f"style-src {_hash(style)}",
        f"script-src {_hash(script)}", "base-uri 'none'", "form-action 'none'",
    ))  # fmt: skip
    template = _environment().get_template(name)
    return template.generate(style=Markup(style), script=Markup(script), policy=Markup(policy), **values)


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _text(name: str) -> str:
    return files("direction_finder.reports.pages").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a content security policy says to allow this text alone."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
