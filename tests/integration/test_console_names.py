"""The live preview of templates, on the page and by the API; what is wrong is told, none saved."""

from collections.abc import Iterator

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.console import Browser, Console, serving
from tests.integration.platform import MakeCourier

FTP = "/accounts/acme/ftp"
PREVIEW = "/accounts/acme/settings/name-preview"


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    courier.core.directory.create("other", ftp_access=True)
    with serving(courier) as console:
        console.user("admin", "acme")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    return console.browser("admin")


def test_the_page_shows_what_becomes_of_a_template_while_it_is_typed(browser: Browser) -> None:
    assert '<code id="previewed">20261123-140500_01632960001.wav</code>' in browser.get(FTP).text
    typed = {
        "path": "in",
        "folder_template": "{date:%Y/%m}/{number}",
        "name_template": "{date:%H%M}-{account}{extension}",
        "time_zone": "Europe/Berlin",
    }
    shown = browser.get(f"{FTP}/preview", params=typed).text
    assert "in/2026/11/+441632960001/1505-acme.wav<" in shown
    assert "1505-acme (2).wav" in shown
    overwriting = browser.get(f"{FTP}/preview", params={**typed, "existing_file": "overwrite"})
    assert "(2)" not in overwriting.text


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("folder_template", "../up", "Subfolders may become .., which is no name."),
        ("name_template", "{nothing}", "File Name has the field {nothing}, which is none of"),
        ("name_template", "<script>{", "File Name has a { without its other half."),
        ("time_zone", "Mars", "Time Zone must be a time zone, such as Europe/London or UTC."),
    ],
)
def test_what_is_wrong_with_a_template_is_told_at_once_and_beside_the_field_on_save(
    console: Console, browser: Browser, field: str, value: str, sentence: str
) -> None:
    shown = browser.get(f"{FTP}/preview", params={field: value})
    assert shown.status_code == 200
    assert sentence in shown.text
    browser.headers["HX-Request"] = "true"
    form = {"enabled": "on", "protocol": "ftp", "host": "ftp.example", "username": "u"}
    refused = browser.send_form(FTP, **form, password="p", **{field: value})
    assert refused.status_code == 422
    assert f'data-problem="{field}"' in refused.text
    assert sentence in refused.text
    assert "<script>" not in refused.text
    assert console.settings("acme") is None


def test_without_a_script_the_save_tells_the_same(browser: Browser) -> None:
    form = {"enabled": "on", "protocol": "ftp", "host": "ftp.example", "username": "u"}
    refused = browser.send_form(FTP, **form, password="p", folder_template="/abs")
    assert refused.status_code == 422
    assert "Subfolders must not begin with /" in refused.text


def test_the_api_previews_with_what_is_stored_and_what_is_given(
    console: Console, asyncssh_server: AsyncSshServer
) -> None:
    stored = {"path": "in", "folder_template": "{number}"}
    console.platform.save("acme", asyncssh_server.customer, Protocol.SFTP, **stored)
    program = console.program("acme")
    assert program.get(PREVIEW).json() == {
        "path": "in/+441632960001/20261123-140500_01632960001.wav",
        "next_path": "in/+441632960001/20261123-140500_01632960001 (2).wav",
        "temporary_path": program.get(PREVIEW).json()["temporary_path"],
    }
    given = {
        "name_template": "{date:%d.%m.}{direction}-{counter:3}{extension}",
        "in_flight": "folder",
        "number": "../../etc",
        "direction": "out/bound",
        "recorded_at": "2026-02-01T00:00:00Z",
        "file_name": "a.ogg",
    }
    shown = program.get(PREVIEW, params=given).json()
    assert shown["path"] == "in/.._.._etc/01.02.out_bound-001.ogg"
    assert shown["temporary_path"].startswith("in/courier-part/courier-")
    assert shown["temporary_path"].endswith(".ogg")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"folder_template": "a/../.."}, "folder_template"),
        ({"recorded_at": "yesterday"}, "recorded_at"),
        ({"file_name": ".."}, "file_name"),
        ({"number": "x" * 65}, "number"),
    ],
)
def test_the_api_says_which_value_cannot_be_used(
    console: Console, given: dict[str, str], field: str
) -> None:
    refused = console.program("acme").get(PREVIEW, params=given)
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == field


def test_nobody_previews_for_an_account_that_is_not_theirs(
    console: Console, browser: Browser
) -> None:
    assert browser.get("/accounts/other/ftp/preview").status_code == 404
    assert console.program("acme").get(PREVIEW.replace("acme", "other")).status_code == 404
