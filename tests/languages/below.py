"""What lower layers say without places, as their code has it."""

from collections.abc import Iterator

from config.fields import settings_fields
from transports.diagnosis import CHAPTERS, Whose
from transports.settings_report import STEPS


def collected() -> Iterator[str]:
    """Causes, advice and whose each is; the fields of the settings; the steps of their test."""
    for entries in CHAPTERS.values():
        for entry in entries:
            yield entry.cause
            yield entry.next_step
            yield from filter(None, (entry.for_customers,))
    for whose in Whose:
        yield whose.label
    for field in settings_fields():
        yield from (field.title, field.help)
        yield from (each.label for each in field.options)
    for step in (*STEPS, "names"):
        yield step.capitalize()
