# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open WebUI in a real Chromium, as people see it.

Screenshots are kept in ``.cache/reports/screenshots``.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.testbed import images
from tests.testbed.shell import ROOT, docker, wait_for

SCREENSHOTS = ROOT / ".cache" / "reports" / "screenshots"


@contextlib.contextmanager
def chromedriver() -> t.Iterator[str]:
    """The URL of a chromedriver in a container, so that no browser has to be installed."""
    images.build(["browser"])
    # In the network of this machine, because the server listens on loopback.
    options = ("--detach", "--rm", "--network=host", "--shm-size=512m")
    container = docker("run", *options, images.CATALOGUE["browser"].tag, doing="Starting the browser")

    def port() -> t.Any:
        return re.search(r"started successfully on port (\d+)", docker("logs", container, doing="Reading its log"))

    try:
        yield f"http://127.0.0.1:{wait_for(port, 'chromedriver', 'Start the image by hand.', 30)[1]}"
    finally:
        docker("rm", "--force", container, doing="Removing the browser")


class Window:
    """A browser of somebody who was never here before."""

    def __init__(self, chromedriver: str, url: str) -> None:
        options = webdriver.ChromeOptions()
        # In a container there are no user namespaces for Chromium's own sandbox.
        for argument in ("--headless=new", "--no-sandbox", "--window-size=1280,900"):
            options.add_argument(argument)
        self.driver = webdriver.Remote(chromedriver, options=options)
        self.url = url

    def open(self, path: str) -> None:
        self.driver.get(f"{self.url}{path}")

    @property
    def path(self) -> str:
        return urlsplit(self.driver.current_url).path

    def element(self, selector: str) -> WebElement:
        """Of the visible ones the last, as soon as there is one."""

        def visible(driver: t.Any) -> list[WebElement]:
            return [found for found in driver.find_elements(By.CSS_SELECTOR, selector) if found.is_displayed()]

        return self._wait(visible, f"{selector} on {self.driver.current_url}")[-1]

    def texts(self, selector: str) -> list[str]:
        """Of all elements that the selector finds, as soon as there is one."""
        self.element(selector)
        return [found.text for found in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def text(self, expected: str) -> str:
        """All visible text, as soon as the expected one is part of it."""

        def page(driver: t.Any) -> str:
            text = driver.find_element(By.TAG_NAME, "body").text
            return text if expected in text else ""

        return self._wait(page, f"{expected!r} on {self.driver.current_url}")

    def _wait(self, condition: t.Callable[[t.Any], t.Any], what: str) -> t.Any:
        # An element may be gone between two looks, as the page is drawn anew.
        return WebDriverWait(self.driver, 60, ignored_exceptions=[StaleElementReferenceException]).until(
            condition, f"There is no {what}."
        )

    def sign_in(self, email: str, password: str) -> None:
        self.open("/")
        self.element("#email").send_keys(email)
        self.element("#password").send_keys(password)
        self.element("button[type=submit]").click()

    def usable_models(self) -> list[str]:
        """The models that the person may chat with, as the list of models names them."""
        self.element("#model-selector-model-button").click()
        return [text.splitlines()[0] for text in self.texts("[role=option]")]

    def choose_model(self, name: str) -> None:
        """One of the list that :meth:`usable_models` has opened."""
        options = self.driver.find_elements(By.CSS_SELECTOR, "[role=option]")
        next(option for option in options if option.text.splitlines()[0] == name).click()

    def ask(self, question: str) -> None:
        self.element("#chat-input").send_keys(question, Keys.ENTER)

    def keep(self, name: str) -> None:
        """A screenshot."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
