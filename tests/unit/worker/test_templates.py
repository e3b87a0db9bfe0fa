"""Every template can be read: one that cannot fails only where its page is opened."""

import pytest

from worker.console.pages.render import _TEMPLATES


@pytest.mark.parametrize("name", _TEMPLATES.list_templates())
def test_a_template_can_be_read(name: str) -> None:
    assert _TEMPLATES.get_template(name).name == name
