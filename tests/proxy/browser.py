"""A real Chromium for the tests of the page: its pictures, what it complains of, and axe's rules."""

from __future__ import annotations

import importlib.resources
import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="the group `browser` is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
SHOTS = Path(__file__).parents[2] / ".ci" / "out"
WAIT = 60_000  # milliseconds; a deadline, not a pause
WIDTHS = (320, 375, 800, 1280)
OF_THE_DOCUMENTS = (390, 1000)  # `make pictures` takes these
DESKTOP = {"width": 1000, "height": 720}
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_HAS_AXE = importlib.util.find_spec("axe_playwright_python") is not None


@contextmanager
def launched() -> Iterator[Any]:
    """The browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield browser
        browser.close()


@contextmanager
def tab(chromium: Any, address: str, **more: Any) -> Iterator[Any]:
    """A fresh tab on an address; its `lines` are all that the console says, scripts' faults among them."""
    context = chromium.new_context(viewport=DESKTOP, locale="en-GB", timezone_id="UTC", **more)
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.lines = []
    page.on("pageerror", lambda error: page.lines.append(str(error)))
    page.on("console", lambda line: page.lines.append(line.text))
    page.goto(address)
    yield page
    lines = page.lines
    context.close()
    assert lines == [], "the console says something"


def shoot(page: Any, name: str, *, widths: tuple[int, ...] = WIDTHS, full: bool = True) -> None:
    """The page at each width, in the light and in the dark: nothing scrolls sideways, axe finds nothing."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 780 if width < 500 else 720})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name}: {wide} pixels in a window of {width}"
            page.screenshot(path=SHOTS / f"page-{name}-{width}-{scheme}.png", full_page=full)
        assert violations(page) == [], f"{name}, {scheme}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)


def violations(page: Any) -> list[str]:
    """What axe finds against WCAG and good practice in what is shown now."""
    if not _HAS_AXE:
        return []
    if not page.evaluate("'axe' in window"):
        source = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")
        page.evaluate(source.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((result) => result.violations)")
    return [
        f"{one['id']}: {node['html']}: {node['failureSummary']}" for one in found for node in one["nodes"]
    ]
