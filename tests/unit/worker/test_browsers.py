"""How a session's browser is named for people."""

import pytest

from worker.console.browsers import browser_of

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36", "Chrome on Linux"),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/142.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Firefox on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 15) {CHROME} Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("", "Another program"),
        ("<script>alert(1)</script>" * 1000, "Another program"),
    ],
)
def test_a_browser_is_named_by_what_it_is_and_where_it_runs(said: str, told: str) -> None:
    assert browser_of(said) == told
