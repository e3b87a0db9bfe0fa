"""The live preview of names in Chromium."""

from playwright.sync_api import expect

from tests.acceptance.site import Site


def test_the_path_of_an_example_follows_what_is_typed(site: Site) -> None:
    site.courier.core.directory.create("acme", ftp_access=True)
    site.user("it@acme.example", "acme")
    with site.signed_in("it@acme.example") as page:
        page.get_by_role("navigation", name="Account").get_by_text("FTP Settings").click()
        shown = page.locator("#name-preview")
        expect(shown).to_contain_text("20261123-140500_01632960001.wav")
        page.locator("#folder_template").fill("{date:%Y/%m}")
        expect(shown).to_contain_text("2026/11/20261123-140500_01632960001.wav")
        page.locator("#name_template").fill("{number}{extension")
        expect(shown).to_contain_text("File Name has a { without its other half.")
        page.locator("#name_template").fill("{number}{extension}")
        expect(shown).to_contain_text("2026/11/+441632960001 (2).wav")
        page.get_by_label("Existing File").select_option(label="Overwrite it")
        expect(shown).not_to_contain_text("(2)")
        expect(page.locator("#name_template")).to_have_value("{number}{extension}")
