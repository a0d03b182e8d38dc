# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an admin, a user, a stranger and an account that was disabled see of Open WebUI in a real Chromium.

Screenshots of each are kept in ``.cache/reports/screenshots``.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from webui_server import ROOT, Server

from tests.testbed import engine, images
from tests.testbed.shell import BedError, docker, wait_for

SCREENSHOTS = ROOT / ".cache" / "reports" / "screenshots"
PASSWORD = "some words that nobody guesses"
HOSTILE = "Kim {{ 7*7 }} <b>bold</b> <img src=x onerror='window.ran = true'>"
ADA = {"email": "ada@browser.example.com", "name": "Ada Admin", "role": "admin"}
KIM = {"email": "kim@browser.example.com", "name": HOSTILE.replace("{{", "{{ '{{' }}"), "role": "user"}
LEE = {"email": "lee@browser.example.com", "name": "Lee Who Left", "role": "user"}
PUBLIC = [{"principal_type": "user", "principal_id": "*", "permission": "read"}]


@pytest.fixture(scope="module")
def chromedriver() -> t.Iterator[str]:
    """The URL of a chromedriver in a container, so that no browser has to be installed."""
    try:
        engine.ensure()
    except BedError as exc:
        pytest.skip(f"The browser needs a Docker Engine: {exc}")
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

    def sign_in(self, email: str) -> None:
        self.open("/")
        self.element("#email").send_keys(email)
        self.element("#password").send_keys(PASSWORD)
        self.element("button[type=submit]").click()

    def keep(self, name: str) -> None:
        """A screenshot."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))


@pytest.fixture
def window(chromedriver: str, webui: Server) -> t.Iterator[Window]:
    opened = Window(chromedriver, webui.url)
    yield opened
    opened.driver.quit()


@pytest.fixture
def people(play: t.Any, webui: Server) -> t.Callable[..., None]:
    """Makes accounts what they are to be, by the module: ``people(ADA, KIM)``."""

    def manage(*users: dict[str, str]) -> None:
        listed = [{**user, "password": PASSWORD} for user in users]
        result = play([{"selfhosted.llm.openwebui_user": {"url": webui.url, "token": webui.token, "users": listed}}])[0]
        assert not result.get("failed"), result

    return manage


@pytest.fixture
def models(play: t.Any, webui: Server, backends: t.Any) -> None:
    """Of the models of two Ollama servers, ordinary users may use smollm2."""
    for name in ("all-minilm:latest", "smollm2:135m", "tinyllama:latest"):
        body = {"id": name, "name": name, "access_grants": PUBLIC if name == "smollm2:135m" else []}
        assert webui.call("POST", "/api/v1/models/model/access/update", body)[0] == 200
    options = {"connections": [backends.small, backends.large], "exclusive": "all"}
    result = play([{"selfhosted.llm.openwebui_connection": {"url": webui.url, "token": webui.token, **options}}])[0]
    assert not result.get("failed"), result


def usable_models(window: Window) -> list[str]:
    window.element("#model-selector-model-button").click()
    return [text.splitlines()[0] for text in window.texts("[role=option]")]


def menu(window: Window) -> list[str]:
    # Whatever is open on the page would only be closed by a click.
    window.open("/")
    window.element("[aria-label='User menu']").click()
    return [text.splitlines()[0] for text in window.texts("[role=menuitem]")]


def test_a_stranger_can_only_sign_in(window: Window, people: t.Any, play: t.Any, webui: Server) -> None:
    people(ADA)
    options = {"url": webui.url, "token": webui.token}
    for open_to_all in (True, False):
        play([{"selfhosted.llm.openwebui_config": {**options, "settings": {"ui.enable_signup": open_to_all}}}])
        window.open("/auth")
        assert ("Sign up" in window.text("Sign in to Open WebUI")) is open_to_all
    window.keep("stranger")
    for path in ("/", "/admin/users"):
        window.open(path)
        page = window.text("Sign in to Open WebUI")
        assert window.path == "/auth"
        assert ADA["name"] not in page
    answer = window.driver.execute_script("""return fetch("/api/v1/auths/signup", {
            method: "POST",
            headers: {"Content-Type": "application/json"},
            body: JSON.stringify({name: "Eve", email: "eve@browser.example.com", password: "some words"}),
        }).then(async (response) => [response.status, (await response.json()).token ?? null])""")
    assert answer == [403, None]


def test_an_admin_manages_accounts_and_has_all_models(window: Window, people: t.Any, models: None) -> None:
    people(ADA, KIM)
    window.sign_in(ADA["email"])
    # Admins get the release notes first.
    window.text("Okay, Let's Go!")
    window.element("[aria-label='Close']").click()
    assert usable_models(window) == ["all-minilm:latest", "smollm2:135m", "tinyllama:latest"]
    window.keep("admin-models")
    entries = menu(window)
    window.keep("admin-menu")
    assert (entries[0], "Admin Panel" in entries) == (ADA["name"], True)
    window.open("/admin/users")
    window.text(KIM["email"])
    window.keep("admin-users")
    shown = [row.splitlines()[:2] for row in window.texts("tbody tr")]
    for name, role, email in ((ADA["name"], "Admin", ADA["email"]), (HOSTILE, "User", KIM["email"])):
        assert [name, f"{role} {email}"] in shown
    assert window.driver.execute_script("return window.ran ?? null") is None


def test_a_user_has_no_admin_panel_and_the_models_opened_to_all(window: Window, people: t.Any, models: None) -> None:
    people(ADA, KIM)
    window.sign_in(KIM["email"])
    assert usable_models(window) == ["smollm2:135m"]
    window.keep("user-models")
    entries = menu(window)
    window.keep("user-menu")
    assert (entries[0], "Admin Panel" in entries) == (HOSTILE, False)
    assert window.driver.execute_script("return window.ran ?? null") is None
    for path in ("/admin/users", "/admin/settings"):
        window.open(path)
        window.element("#chat-input")
        page = window.text("Suggested")
        assert window.path == "/"
        assert ADA["email"] not in page
    window.keep("user-at-admin")


def test_a_disabled_account_waits_for_the_admin(window: Window, people: t.Any) -> None:
    people(LEE)
    window.sign_in(LEE["email"])
    window.element("#chat-input")
    people({**LEE, "role": "pending"})
    # The session that was open has ended.
    window.sign_in(LEE["email"])
    page = window.text("Account Activation Pending")
    window.keep("disabled")
    assert "New Chat" not in page
    assert window.driver.find_elements(By.ID, "chat-input") == []
