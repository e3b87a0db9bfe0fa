"""What a server can do, in Chromium: tried before anything is saved, shown, and tried again."""

from pathlib import Path

from playwright.sync_api import expect

from deploy.local.customers import AsyncSshServer
from tests.acceptance.site import Site


def test_a_customer_tries_the_form_saves_it_and_reads_what_the_server_can_do(
    site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "customer"
    folder.mkdir()
    site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    site.user("it@acme.example", "acme")
    with AsyncSshServer(folder) as server, site.signed_in("it@acme.example") as page:
        menu = page.get_by_role("navigation", name="Account")
        menu.get_by_text("FTP Settings").click()
        page.get_by_label("Protocol").select_option(label="SFTP")
        page.locator("#host").fill(server.customer.host)
        page.get_by_label("Port").fill(str(server.customer.port))
        page.get_by_label("Username").fill(server.username)
        page.locator("#password").fill(server.password)
        result = page.locator("#result")
        page.get_by_role("button", name="Test only").click()
        expect(result.get_by_text("The test went well, and nothing was saved.")).to_be_visible()
        assert site.courier.core.directory.get("acme").settings is None
        page.get_by_role("button", name="Test and save").click()
        expect(result.get_by_text("Saved and switched on.")).to_be_visible()

        menu.get_by_text("Server", exact=True).click()
        key = server.customer.host_key
        assert key is not None
        expect(page.get_by_role("heading", name="Host keys")).to_be_visible()
        expect(page.get_by_text(key).first).to_be_visible()
        expect(page.get_by_text("Key exchange")).to_be_visible()
        page.get_by_role("button", name="Test now").click()
        expect(result.get_by_text("The test went well, and nothing was saved.")).to_be_visible()
        page.set_viewport_size({"width": 320, "height": 700})
        widest = page.evaluate("document.documentElement.scrollWidth")
        page.screenshot(path=str(tmp_path / "server.png"), full_page=True)
    assert widest <= 320
