# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an admin, a user, a stranger and an account that was disabled see of Open WebUI in a real Chromium."""

from __future__ import annotations

import typing as t

import pytest
from selenium.webdriver.common.by import By
from webui_server import Server

from tests.testbed import engine
from tests.testbed.browser import Window, chromedriver
from tests.testbed.shell import BedError

PASSWORD = "some words that nobody guesses"
HOSTILE = "Kim {{ 7*7 }} <b>bold</b> <img src=x onerror='window.ran = true'>"
ADA = {"email": "ada@browser.example.com", "name": "Ada Admin", "role": "admin"}
KIM = {"email": "kim@browser.example.com", "name": HOSTILE.replace("{{", "{{ '{{' }}"), "role": "user"}
LEE = {"email": "lee@browser.example.com", "name": "Lee Who Left", "role": "user"}
PUBLIC = [{"principal_type": "user", "principal_id": "*", "permission": "read"}]


@pytest.fixture(scope="module")
def driver() -> t.Iterator[str]:
    try:
        engine.ensure()
    except BedError as exc:
        pytest.skip(f"The browser needs a Docker Engine: {exc}")
    with chromedriver() as url:
        yield url


@pytest.fixture
def window(driver: str, webui: Server) -> t.Iterator[Window]:
    opened = Window(driver, webui.url)
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
    window.sign_in(ADA["email"], PASSWORD)
    # Admins get the release notes first.
    window.text("Okay, Let's Go!")
    window.element("[aria-label='Close']").click()
    assert window.usable_models() == ["all-minilm:latest", "smollm2:135m", "tinyllama:latest"]
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
    window.sign_in(KIM["email"], PASSWORD)
    assert window.usable_models() == ["smollm2:135m"]
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
    window.sign_in(LEE["email"], PASSWORD)
    window.element("#chat-input")
    people({**LEE, "role": "pending"})
    # The session that was open has ended.
    window.sign_in(LEE["email"], PASSWORD)
    page = window.text("Account Activation Pending")
    window.keep("disabled")
    assert "New Chat" not in page
    assert window.driver.find_elements(By.ID, "chat-input") == []
