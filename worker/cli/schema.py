"""`courier schema`."""

from typing import Annotated

import typer

from consumers.intake import asyncapi, events
from worker.cli.apps import single_command

app = single_command()


@app.command()
def schema(
    *,
    as_asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="An AsyncAPI 3 document, with the queues.")
    ] = False,
) -> None:
    """Print the JSON Schema of the event, for the pipeline's authors."""
    typer.echo(asyncapi.asyncapi() if as_asyncapi else events.schema(), nl=False)
