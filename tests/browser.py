"""Debian's Chromium for tests and screenshots: it looks nothing up and loads nothing that is not on this machine."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def missing() -> str:
    """Return why there is no browser; empty if there is one."""
    if not CHROMIUM:
        return "no Chromium: apt-get install chromium"
    return "" if importlib.util.find_spec("playwright") else "no Playwright: pip install playwright"


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a browser without a window."""
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=ARGUMENTS, chromium_sandbox=not root
        )
        yield opened
        opened.close()


@contextmanager
def tab(opened: Any, path: Path, fragment: str = "", **options: Any) -> Iterator[Any]:
    """Yield a file in a new context. page.errors: errors in its console; page.outside: addresses that it asked for."""
    context = opened.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(30_000)  # the machine may be busy
    page.errors, page.outside = [], []
    page.on("console", lambda message: message.type == "error" and page.errors.append(message.text))
    page.on("pageerror", lambda error: page.errors.append(str(error)))

    def route(asked: Any) -> None:
        if asked.request.url.startswith((path.as_uri(), "data:", "blob:")):
            asked.continue_()
        else:
            page.outside.append(asked.request.url)
            asked.abort()

    context.route("**/*", route)
    page.goto(f"{path.as_uri()}{fragment}")
    yield page
    context.close()


def until(page: Any, expression: str, seconds: float = 30) -> None:
    """Wait until an expression is true; Playwright's own wait needs `eval`, which the pages forbid."""
    for _ in range(int(seconds * 20)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true within {seconds} s: {expression}")
