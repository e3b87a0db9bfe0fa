"""The list of the metrics, and its documentation."""

import pytest

from tests.metrics_doc import DOC, written
from worker.metric_names import Named, Type, named


def test_the_documentation_has_the_list_as_it_is() -> None:
    assert DOC.read_text() == written(), "run: python -m tests.metrics_doc"


@pytest.mark.parametrize("metric", named(), ids=lambda each: each.name)
def test_a_metric_is_named_as_prometheus_wants_it(metric: Named) -> None:
    assert metric.name.startswith("courier_")
    assert metric.name.endswith("_total") == (metric.type is Type.COUNTER)
    assert metric.help.endswith(".")


def test_no_label_is_named_for_what_there_are_too_many_of() -> None:
    forbidden = {"account", "account_id", "recording", "file", "path", "host", "username", "number"}
    assert not forbidden & {label for each in named() for label in each.labels}
