"""What the page tells of a customer's server: its host keys, and what the test on save found."""

from pathlib import Path

from deploy.local.customers import PyFtpServer
from tests.contract.test_final_names import OnlyWavFtp
from tests.integration.console import Browser, Console
from tests.integration.settings.page import FTP, form, renew_host_key
from tests.servers import Sshd


def test_a_further_host_key_is_approved_beside_the_pinned_ones(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    keys = [sshd.host_key]
    for stays in ("the pinned one stays accepted", "the 2 pinned ones stay accepted"):
        renew_host_key(sshd)
        keys.append(sshd.host_key)
        refused = console.tested(
            browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text
        )
        assert stays in refused
        act = refused.split('action="')[1].split('"')[0]
        shown = console.tested(browser, "acme", browser.send_form(act, keep="yes").text)
        assert "Saved" in shown
        assert (
            " ".join(f"<code>{key}</code>" for key in keys) in shown.split("Accepted from now")[1]
        )
        saved = console.settings("acme")
        assert saved is not None
        assert list(saved.host_keys) == keys

    approved = console.services.audit.list(["acme"], 100)
    (entry, _) = [each for each in approved if each.action == "host-key.approved"]
    assert (entry.before, entry.after) == ({"host_keys": keys[:2]}, {"host_keys": keys})


def test_no_further_host_key_is_offered_where_none_has_room(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    pinned = ", ".join(f"SHA256:{letter * 43}" for letter in "ABCDEFGH")
    fields = form(sshd.customer, host_keys=pinned)
    refused = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)

    assert "No further key can be kept beside 8" in refused
    assert 'name="keep"' not in refused


def test_that_files_are_written_in_place_is_told_where_one_looks_afterwards(
    console: Console, browser: Browser, tmp_path: Path
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=OnlyWavFtp) as server:
        console.tested(browser, "acme", browser.send_form(FTP, **form(server.customer)).text)
    told = browser.get("/accounts/acme").text.split("The server</h2>")[1]
    assert "whoever looks meanwhile sees half of one" in told.split("To know:")[1]
    assert "are asked for by MLST" in told
    assert "by the size that the server tells" in told
