"""What bash, zsh and fish complete, asked of the shells themselves."""

import shlex
import subprocess
from collections.abc import Callable

import pytest

from deploy.local.install import program
from tests.acceptance.program import LIMIT, Program, command_of
from tests.acceptance.stage import Stage
from tests.acceptance.terminal import Terminal

TAB, KILL_LINE = "\t", "\x15"
ASKED = {
    "courier acc": {"accounts"},
    "courier accounts sus": {"suspend"},
    "courier queue --b": {"--by"},
    "courier accounts list --state su": {"suspended"},
    "courier accounts show acme": {"acme", "acme-london"},
}
"""A line that somebody has typed so far -> what the shell offers."""
BASH = """
source <(courier completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
read -ra COMP_WORDS <<< "$1"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_courier_completion courier "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
printf "%s\\n" "${COMPREPLY[@]}"
"""
FISH = """
courier completion fish | source
complete -C $argv[1]
"""
ZSH = """
autoload -Uz compinit && compinit -u -D
source <(courier completion zsh)
PS1='ready> '
"""


@pytest.fixture
def named(courier: Program, stage: Stage) -> Program:
    """`courier` by its name, as one who has installed it, beside two accounts."""
    stage.core.directory.create("acme")
    stage.core.directory.create("acme-london")
    script = courier.folder / "courier"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command_of(()))} "$@"\n')
    script.chmod(0o755)
    return courier


def _environment(named: Program) -> dict[str, str]:
    environment = named.environment({})
    return environment | {
        "PATH": f"{named.folder}:{environment['PATH']}",
        "HOME": str(named.folder),
        "ZDOTDIR": str(named.folder),
    }


def _said(named: Program, command: list[str]) -> set[str]:
    done = subprocess.run(
        command, env=_environment(named), capture_output=True, text=True, check=True, timeout=LIMIT
    )
    assert not done.stderr, done.stderr
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


def _in_bash(named: Program, line: str) -> set[str]:
    return _said(named, ["bash", "--norc", "-c", BASH, "bash", line])


def _in_fish(named: Program, line: str) -> set[str]:
    return _said(named, [str(program("fish")), "--no-config", "-c", FISH, line])


@pytest.mark.parametrize("offers", [_in_bash, _in_fish])
def test_it_offers_what_may_follow(
    named: Program, offers: Callable[[Program, str], set[str]]
) -> None:
    assert {line: offers(named, line) for line in ASKED} == ASKED


def test_zsh_completes_what_is_typed(named: Program) -> None:
    (named.folder / ".zshrc").write_text(ZSH)
    with Terminal([str(program("zsh")), "-d", "-i"], named.folder, _environment(named)) as zsh:
        zsh.until("ready>")
        for line, offered in ASKED.items():
            zsh.press(KILL_LINE + line + TAB)
            typed = line.rpartition(" ")[0] if len(offered) == 1 else ""
            zsh.until(f"{typed} {max(offered)}")
