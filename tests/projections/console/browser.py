"""A real browser for tests of pages: Debian's chromium, driven by playwright.

Where it is missing, tests that need it skip and say so; CI refuses the skip.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    ViewportSize,
    sync_playwright,
)

from projections.console.page import COOKIE

FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS = 90_000
NARROW: ViewportSize = {"width": 360, "height": 740}
WIDE: ViewportSize = {"width": 1280, "height": 900}
_NAMES = re.compile(r"[^a-z0-9-]+")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser of a file of tests; each test opens a context of its own in it.

    While it is there an event loop is said to run in this thread: such a file has no test that
    wants one of its own.
    """
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS])
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page in which somebody is; `troubles`: what its console and its requests complained of."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a path of the console, and wait until it is there."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        assert answer.ok, (path, answer.status)

    def follow(self, link: str) -> None:
        """Click a link, and wait until the page that it leads to is whole."""
        self._go(self.page.get_by_role("link", name=link).first.click, link)

    def send(self, button: str) -> None:
        """Press a button by the keyboard, and wait until the page that answers is whole."""
        self.page.get_by_role("button", name=button, exact=True).first.focus()
        self._go(lambda: self.page.keyboard.press("Enter"), button)

    def _go(self, act: Callable[[], None], name: str) -> None:
        # Without the wait a test reads a page that is being built: half a text in a field, say.
        with self.page.expect_navigation() as going:
            act()
        answer = going.value
        assert answer.ok, (name, answer.status, self.text("body"))

    def tab_to(self, selector: str) -> None:
        """Go on with the tabulator until an element has the focus, as who has no mouse does."""
        for _ in range(400):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        pytest.fail(f"the keyboard does not come to {selector}")

    def text(self, selector: str) -> str:
        """Return what stands in an element."""
        return self.page.locator(selector).first.inner_text().strip()

    def assert_is_fit(self, name: str) -> None:
        """Assert that this page is fit for everybody, in both themes and at 360 px.

        Nothing in it complained, axe-core finds nothing, and nothing scrolls sideways. A picture of
        it goes where `WATTLEDGER_SCREENSHOTS` says.
        """
        assert self.troubles == []
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            found = Axe().run(self.page)
            assert found.violations_count == 0, found.generate_report()
            _keep_picture(self.page, f"{name}-{theme}")
        self.page.set_viewport_size(NARROW)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        _keep_picture(self.page, f"{name}-narrow")
        self.page.set_viewport_size(WIDE)
        assert width <= NARROW["width"], f"{name} is {width} px wide at {NARROW['width']} px"


@contextmanager
def tab(browser: Browser, url: str, cookie: str = "", language: str = "en") -> Iterator[Tab]:
    """Yield a tab in which the owner of *cookie* is; "" where nobody is."""
    context: BrowserContext = browser.new_context(
        viewport=WIDE, locale=language, timezone_id="America/New_York"
    )
    # A page may wait long on a busy machine.
    context.set_default_timeout(PATIENCE_MS)
    if cookie:
        context.add_cookies([{"name": COOKIE, "value": cookie, "url": url}])
    made = Tab(context.new_page(), url)

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            made.troubles.append(message.text)

    def fail(request: Request) -> None:
        # Who goes on while a text is being checked, or a file comes, gives that up.
        if request.failure != "net::ERR_ABORTED":
            made.troubles.append(f"{request.url}: {request.failure}")

    made.page.on("console", complain)
    made.page.on("pageerror", lambda error: made.troubles.append(str(error)))
    made.page.on("requestfailed", fail)
    try:
        yield made
    except (AssertionError, Error) as error:
        # What somebody would have seen there.
        with suppress(Error):
            error.add_note(f"{made.page.url}:\n{made.page.inner_text('body', timeout=5_000)}")
        raise
    finally:
        context.close()


def picture_name(name: str) -> str:
    """Return what the picture of a page is called."""
    return _NAMES.sub("-", name.casefold())


def _keep_picture(page: Page, name: str) -> None:
    if folder := os.environ.get("TESTS_SCREENSHOTS"):
        path = Path(folder) / f"{picture_name(name)}.png"
        page.screenshot(path=path, full_page=True)
