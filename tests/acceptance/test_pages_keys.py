"""A key for SFTP in Chromium: generated while the form is filled in, copied, tested, used."""

from pathlib import Path

from playwright.sync_api import expect

from config.ssh_keys import KeyType, generated
from deploy.local.customers import AsyncSshServer
from tests.acceptance.site import Site


def test_a_customer_has_a_key_generated_installs_it_and_saves(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "customer"
    folder.mkdir()
    site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    site.user("it@acme.example", "acme")
    other = generated(KeyType.ED25519, "of somebody else")
    with (
        AsyncSshServer(folder, authorized=[other.public.line]) as server,
        site.signed_in("it@acme.example") as page,
    ):
        page.get_by_role("navigation", name="Account").get_by_text("FTP Settings").click()
        panel = page.locator("#account-key")
        page.get_by_label("Protocol").select_option(label="SFTP")
        expect(page.get_by_label("Password")).to_be_visible()
        expect(page.get_by_label("Private Key")).to_be_hidden()
        expect(panel).to_be_hidden()
        page.locator("#host").fill(server.customer.host)
        page.get_by_label("Port").fill(str(server.customer.port))
        page.get_by_label("Username").fill(server.username)
        page.get_by_label("Logon Type").select_option(label="Key")
        expect(page.get_by_label("Password")).to_be_hidden()
        expect(page.get_by_label("Private Key")).to_be_visible()
        page.get_by_label("Protocol").select_option(label="FTP")
        expect(panel).to_be_hidden()
        expect(page.get_by_label("Password")).to_be_visible()
        page.get_by_label("Protocol").select_option(label="SFTP")

        page.get_by_role("button", name="Generate a new key").click()
        line = page.locator("#key-waiting").text_content()
        assert line is not None
        assert line.endswith(", account acme")
        expect(page.locator("#host")).to_have_value(server.customer.host)
        page.get_by_role("button", name="Test and save").click()
        result = page.locator("#result")
        expect(result.get_by_text("Nothing was saved.")).to_be_visible()
        expect(page.locator("#private_key-error")).to_contain_text("~/.ssh/authorized_keys")

        server.authorize(line)
        page.get_by_role("button", name="Test and save").click()
        expect(result.get_by_text("Saved and switched on.")).to_be_visible()
        expect(result).to_contain_text("with the key SHA256:")
        expect(page.locator("#key-in-use")).to_have_text(line)
        expect(page.locator("#key-waiting")).to_have_count(0)
