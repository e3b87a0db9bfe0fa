"""How a test that saved nothing is told."""

from http import HTTPStatus
from typing import Any

from worker.console.validation import Run


class SettingsRefused(Exception):
    """The settings were not saved. `content` is the error as the API tells it."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.run_id)
        self.status = HTTPStatus.CONFLICT if run.shown_key else HTTPStatus.UNPROCESSABLE_ENTITY
        self.content: dict[str, Any] = {"message": _sentence(run)}
        if run.failure is not None:
            cause = run.failure.diagnosis
            self.content |= {"cause": cause.code, "whose": cause.whose.value}
        field = run.failed_field or next(iter(run.fields), None)
        if field:
            self.content["field"] = field
        if run.fields:
            self.content["fields"] = run.fields
        self.content["steps"] = [step.document() for step in run.steps]
        if run.shown_key:
            self.content |= {"pinned": ", ".join(run.pinned_keys), "shown": run.shown_key}


def _sentence(run: Run) -> str:
    if run.failure is not None:
        return f"Nothing was saved: {run.words.rstrip('.')}. {run.advice}"
    return next(iter(run.fields.values()), None) or run.problem or "Nothing was saved."
