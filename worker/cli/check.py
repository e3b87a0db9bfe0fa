"""`courier check`."""

from rich.text import Text

from config.settings import load_settings
from worker.checks import Checked, run_checks
from worker.cli import output
from worker.cli.apps import single_command
from worker.cli.output import AsJson
from worker.cli.refusal import Refused
from worker.core import open_core

app = single_command()


@app.command()
def check(*, as_json: AsJson = False) -> None:
    """Ask RabbitMQ, MongoDB, SMTP and the keys whether they are reachable and usable.

    Warns of files and networks that are open to more than was meant.
    Declares the exchanges and queues that every start declares; changes nothing else.
    """
    with open_core(load_settings()) as core:
        done = list(run_checks(core))
    if as_json:
        output.print_json([vars(each) for each in done])
    else:
        _print(done)
    failed = [each.name for each in done if not each.ok]
    if failed:
        verb = "is" if len(failed) == 1 else "are"
        raise Refused(f"{' and '.join(failed)} {verb} not usable: follow the advice given above.")


def _print(done: list[Checked]) -> None:
    rows = [(_mark(each), each.name, each.detail) for each in done]
    output.stdout().print(output.aligned(rows))
    for each in done:
        if each.advice:
            output.say(f"{each.name}: {each.advice}")


def _mark(checked: Checked) -> Text:
    return output.WARNING if checked.warning else output.mark(ok=checked.ok)
