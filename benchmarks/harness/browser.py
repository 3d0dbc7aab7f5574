"""Browser: headless Chromium, and a page served to it for as long as it is looked at."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from rag.engine import Engine

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of this machine; ends the program with what to install when there is none."""
    from playwright.sync_api import sync_playwright

    path = next((found for found in map(shutil.which, NAMES) if found), None)
    if path is None:
        raise SystemExit("Chromium is missing; on Debian: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS), headless=True)
        yield started
        started.close()


@contextmanager
def served(engine: Engine) -> Iterator[str]:
    """The address of Citewire's page over `engine`."""
    from ui import web

    page = web.build(engine)
    try:
        yield web.launch(page)
    finally:
        page.close(verbose=False)
