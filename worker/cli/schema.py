"""`courier schema`."""

import typer

from consumers import events
from worker.cli.apps import single_command

app = single_command()


@app.command()
def schema() -> None:
    """Print the JSON Schema of the event, for the pipeline's authors."""
    typer.echo(events.schema(), nl=False)
