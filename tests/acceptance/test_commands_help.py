"""The help of every command, "Did you mean", and what a shell completes."""

import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from tests.acceptance.program import Program, command_of
from tests.acceptance.stage import Stage
from tests.unit.test_supply import ROOT
from worker.cli import GROUPS, app, load
from worker.cli.examples import examples_of


def every_command() -> Iterator[tuple[str, ...]]:
    """The words of each command and group."""
    for name in GROUPS:
        yield from _beneath((name,), load(name))


def _beneath(words: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from _beneath((*words, name), each)


def test_every_help_has_examples_and_tells_no_type_of_a_flag(courier: Program) -> None:
    for words in every_command():
        shown = courier.inside(*words, "--help").out
        assert "\nExamples:\n  " in shown, words
        assert "bool" not in shown, words
    assert "bool" not in courier.inside("--help").out


def test_at_80_columns_help_has_every_option_whole(
    courier: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in every_command():
        shown = courier.inside(*words, "--help").out
        panels = [line for line in shown.splitlines() if line.startswith("│")]
        assert {*map(len, panels)} == {80}, words
        assert not [line for line in panels if "…" in line], words
        assert max(map(len, shown.splitlines())) == 80, words
        told = {*re.findall(r"--?[a-z0-9-]+", "\n".join(panels))}
        params = [each for each in _command(words).params if not getattr(each, "hidden", False)]
        options = [each for each in params if each.param_type_name == "option"]
        named = {name for each in options for name in (*each.opts, *each.secondary_opts)}
        assert named <= told, words


def _command(words: tuple[str, ...]) -> Any:
    command = load(words[0])
    for each in words[1:]:
        command = command.commands[each]
    return command


def test_every_example_is_a_command_as_it_may_be_given() -> None:
    for words in [(), *every_command()]:
        for line in examples_of(" ".join(["courier", *words])).splitlines()[1:]:
            given = shlex.split(re.split("[<|>]", line)[0], comments=True)
            if "source" not in line:
                assert given[0] == "courier", line
                _parse(given[1:])


def _parse(given: list[str]) -> None:
    """Raises the error of a command that could not be given so."""
    command: Any = get_command(app)
    context: Any = None
    while isinstance(command, TyperGroup):
        context = command.make_context("courier", list(given), parent=context)
        name, command, given = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None, name
    command.make_context("courier", list(given), parent=context)


def test_every_command_and_option_that_the_documentation_names_exists() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")]
    for page in (each for each in pages if each.name != "CHANGELOG.md"):
        for line in _commands_of(page.read_text().replace("\\\n", " ")):
            words = re.split(r"[<|>;(#]|&&", line)[0].replace("'", "").split()
            with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
                try:
                    _parse(words[1:])
                except Exception as error:  # noqa: BLE001 - a placeholder, or what a text leaves out
                    told = str(getattr(error, "message", ""))
                    assert "No such" not in told, f"{page.name}: {line}: {told}"


def _commands_of(text: str) -> Iterator[str]:
    """What stands in code, as a line of its own or within a sentence."""
    yield from re.findall(r"`(courier [^`]+)`", text.replace("\n", " "))
    yield from re.findall(r"^\s*(?:\$ |[A-Z_]+=\S+ )*(courier .*)$", text, re.MULTILINE)


def test_nothing_private_of_typer_is_used() -> None:
    for module in ROOT.glob("worker/**/*.py"):
        assert not re.search(r"typer(\.\w+)*\._", module.read_text()), module


def test_a_mistyped_command_is_told_what_may_have_been_meant(courier: Program) -> None:
    for typed, meant in (
        (("account",), "'accounts'"),
        (("delivery", "list"), "'deliveries'"),
        (("accounts", "lst"), "'list'"),
        (("accounts", "key", "genrate"), "'generate'"),
    ):
        answer = courier.inside(*typed)
        assert answer.code == 2
        assert f"Did you mean {meant}" in " ".join(answer.err.replace("│", " ").split()), answer


def _completed(courier: Program, words: str) -> list[str]:
    """What bash would offer behind these words."""
    changes = courier.environment({})
    changes |= {
        "_COURIER_COMPLETE": "complete_bash",
        "COMP_WORDS": f"courier {words}",
        "COMP_CWORD": str(len(f"courier {words}".split(" ")) - 1),
    }
    done = subprocess.run(
        command_of(()), env=changes, cwd=courier.folder, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_shell_completes_commands_options_words_and_accounts(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    stage.core.directory.create("acme-london")
    stage.core.directory.create("other")
    assert _completed(courier, "acc") == ["accounts"]
    assert "suspend" in _completed(courier, "accounts s")
    assert "--by" in _completed(courier, "queue --")
    assert _completed(courier, "deliveries list --status dead") == ["dead-letter", "dead_lettered"]
    assert _completed(courier, "accounts show ac") == ["acme", "acme-london"]
    assert _completed(courier, "queue --by h") == ["host"]


def test_the_script_for_a_shell_is_printed_and_bash_takes_its_own(courier: Program) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert f"_COURIER_COMPLETE=complete_{shell}" in courier.inside("completion", shell).out
    assert courier.inside("completion", "tcsh").code == 2
    script = courier.inside("completion", "bash").out
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\ncomplete -p courier"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_courier_completion" in done.stdout
