"""The form of the FTP settings in Chromium, for servers that speak FTP over TLS."""

from playwright.sync_api import Page, expect

from tests.acceptance.site import Site

SHOWN = {
    "FTP": (False, False, "21"),
    "SFTP": (True, False, "22"),
    "FTPS (explicit)": (True, True, "21"),
    "FTPS (implicit)": (True, True, "990"),
}
"""For each protocol whether Host Keys and CA Certificates are asked for, and the usual port."""


def test_the_fields_and_the_usual_port_follow_the_protocol(site: Site) -> None:
    site.courier.core.directory.create("acme", ftp_access=True)
    site.user("it@acme.example", "acme")
    with site.signed_in("it@acme.example") as page:
        page.get_by_role("navigation", name="Account").get_by_text("FTP Settings").click()
        choices = page.get_by_label("Protocol").locator("option").all_inner_texts()
        assert choices == list(SHOWN)
        for label, (keys, certificates, port) in SHOWN.items():
            page.get_by_label("Protocol").select_option(label=label)
            _is_shown(page, "#host_keys", shown=keys)
            _is_shown(page, "#ca_certificates", shown=certificates)
            _is_shown(page, "#logon_type", shown=label == "SFTP")
            expect(page.locator("#port")).to_have_attribute("placeholder", port)


def _is_shown(page: Page, field: str, *, shown: bool) -> None:
    expect(page.locator(field)).to_be_visible(visible=shown)
    expect(page.locator(field)).to_be_enabled(enabled=shown)
