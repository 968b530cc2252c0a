"""The example as a person uses it: in a real browser, by HTTPS, from outside the host."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import WebDriverWait

Host = Any  # testinfra has no types

THROWAWAY = Path(__file__).resolve().parents[2] / "throwaway.py"


@pytest.fixture(scope="module", name="home")
def _home(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of somebody who has told his browser to trust the host's authority."""
    subprocess.run([sys.executable, THROWAWAY, "browser"], check=True)
    home: Path = tmp_path_factory.mktemp("home")
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    authority = home / "authority.crt"
    authority.write_text(host.file("/etc/ssl/initech/authority.crt").content_string)
    certutil = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    subprocess.run([*certutil, "-A", "-n", "authority", "-t", "C,,", "-i", authority], check=True)
    return home


@pytest.fixture(scope="module", name="browser")
def _browser(host: Host, home: Path) -> Iterator[Chrome]:
    """Return a browser that finds the host by its name."""
    name = host.backend.get_hostname()
    address = host.check_output("hostname --all-ip-addresses").split()[0]
    options = ChromeOptions()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (
        "--headless=new",
        # It would not run as root otherwise. All that it sees is ours.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        f"--user-data-dir={home}/profile",
        f"--host-resolver-rules=MAP {name} {address}",
    ):
        options.add_argument(argument)
    driver = Chrome(options, Service("/usr/bin/chromedriver", env={**os.environ, "HOME": str(home)}))
    driver.implicitly_wait(10)
    yield driver
    driver.quit()


@pytest.fixture(name="site")
def _site(host: Host) -> str:
    return f"https://{host.backend.get_hostname()}"


def test_the_page_is_whole_by_http_2_whichever_way_one_comes(browser: Chrome, site: str) -> None:
    browser.get(site.replace("https", "http"))
    assert browser.current_url == f"{site}/"
    assert browser.execute_script("return performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    assert browser.execute_script("return [...document.styleSheets].every(sheet => sheet.cssRules.length > 0)")
    assert browser.execute_script("return document.styleSheets.length") == 1
    # Such as a file that is missing, or a policy that forbids one.
    assert browser.get_log("browser") == []


def test_somebody_logs_in_uploads_a_file_and_others_see_it(
    host: Host, browser: Chrome, site: str, tmp_path: Path
) -> None:
    name, content = (secrets.token_hex(8) for _ in range(2))
    # Django refuses one that is like the name, and of two as short as that one pair in eighty is.
    password = secrets.token_hex(32)
    host.check_output("slow-sql-manage createsuperuser --noinput --username %s --email anna@example.com", name)
    host.check_output("printf '%%s\\n%%s\\n' %s %s | slow-sql-manage changepassword %s", password, password, name)
    file = tmp_path / f"{name}.txt"
    file.write_text(content)

    browser.get(f"{site}/admin/")
    browser.find_element(By.NAME, "username").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    browser.find_element(By.CSS_SELECTOR, ".model-greeting th a").click()
    browser.find_element(By.CSS_SELECTOR, "#result_list tbody th a").click()
    browser.find_element(By.NAME, "attachment").send_keys(str(file))
    browser.find_element(By.NAME, "_save").click()
    assert "was changed successfully" in browser.find_element(By.CSS_SELECTOR, ".messagelist .success").text

    browser.get(site)
    browser.find_element(By.CSS_SELECTOR, "a[href^='/media/']").click()
    # A click returns before the page that it leads to is there.
    WebDriverWait(browser, 10).until(text_to_be_present_in_element((By.TAG_NAME, "body"), content))
    assert browser.find_element(By.TAG_NAME, "body").text == content
    # Django's admin names no icon, and a browser looks for one.
    assert [entry["message"] for entry in browser.get_log("browser") if "/favicon.ico" not in entry["message"]] == []
    cookies = {cookie["name"]: cookie["secure"] for cookie in browser.get_cookies()}
    assert cookies == {"sessionid": True, "csrftoken": True}


def test_a_sound_that_somebody_uploaded_is_played(host: Host, browser: Chrome, site: str) -> None:
    path = "/srv/slow-sql/media/silence.wav"
    frames = "file.setparams((1, 1, 8000, 0, 'NONE', None)); file.writeframes(bytes(8000)); file.close()"
    host.check_output("python3 -c %s && chmod a+r %s", f"import wave; file = wave.open('{path}', 'wb'); {frames}", path)
    browser.get(f"{site}/media/silence.wav")
    ready = "return document.querySelector('audio, video').readyState > 0"
    WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(ready))
    # Now it asks whether what it has is still good.
    browser.refresh()
    WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(ready))
    host.check_output("rm %s", path)


def test_ten_slow_requests_are_waited_for_once(browser: Chrome, site: str) -> None:
    browser.get(f"{site}/ten-slow-requests/?seconds=2")
    squares = browser.find_element(By.TAG_NAME, "body").text.split()
    assert squares == [str(x * x) for x in range(1, 11)]
    assert browser.execute_script("return performance.getEntriesByType('navigation')[0].duration") < 4000
