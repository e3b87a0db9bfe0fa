"""Every example of every command's help, run as it is written where what it names exists."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.accounts import DeliveryMethod
from config.numbers import Number
from config.tokens import Tokens
from deploy.local.customers import PyFtpServer
from tests.acceptance.program import Program
from tests.acceptance.stage import Stage
from tests.acceptance.terminal import Terminal, on_terminal
from tests.acceptance.test_commands_help import every_command
from tests.integration.ledger.rows import claimed, deliver_one, uploaded
from tests.integration.platform import until
from tests.servers.certificates import Authority
from worker.cli.examples import examples_of

RECORDING, TOKEN, PASSWORD = "8f6c2f0e", "5f2c9a7e", "correct horse battery"
CREATE = "courier accounts create "
NUMBER = "+441632960001"
ENDLESS = {
    "courier run": "",
    "courier run --processes 4": "",
    "courier exporter": "",
    "courier status --watch": "workers",
    "courier top": "Nothing waits",
    "courier trace acme": "the next one is heard",
    "courier trace acme --seconds 60 --json": "the next one is heard",
}
"""What runs until Ctrl-C, and what it then shows."""
ASKED = (("Password: ", PASSWORD), ("Repeat for confirmation: ", PASSWORD))
"""With the blank: it comes once the terminal has forgotten what was typed before."""
TYPED = {
    "courier users create": ASKED,
    "courier users reset ": ASKED,
    "courier deliveries redeliver --account acme --since 3d --until": (("[y/N]", "y"),),
}
"""What asks a person at a terminal: the questions and the answers."""
CANNOT = {
    "--host acme.example": "its name could not be resolved",
    "--protocol ftps": "TLS",
    "--files 240": "It would be 1 file, not 240: nothing was sent.",
    "users reset-factor ann": "second factor",
}
"""What cannot work here, for no such server or no such number of files, and what it says of it."""


def every_example() -> list[str]:
    """The commands alone, without comments and what a shell does with what they print. What makes
    accounts and users comes first, what removes them last."""
    found = [line for words in [(), *every_command()] for line in _lines(words)]
    commands = [re.sub(r"^source <\((.*?)\).*|\s+[>|#].*", r"\1", line).strip() for line in found]
    return sorted(dict.fromkeys(commands), key=_turn)


def _turn(example: str) -> int:
    """An account's users go with it."""
    order = (" create", "users remove", "accounts remove")
    return next((n for n, each in zip((-1, 1, 2), order, strict=True) if each in example), 0)


def _lines(words: tuple[str, ...]) -> list[str]:
    return [each.strip() for each in examples_of(" ".join(["courier", *words])).splitlines()[1:]]


class Scene:
    """What the examples name."""

    def __init__(self, courier: Program, stage: Stage, server: PyFtpServer) -> None:
        self.courier, self.stage, self.server = courier, stage, server
        self._accounts = stage.core.database["accounts"]

    def begin(self) -> None:
        """What stays for all of them."""
        directory, folder = self.stage.core.directory, self.courier.folder
        (folder / "call.wav").write_bytes(b"x" * 1000)
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        (folder / "id_ed25519").write_bytes(pem)
        Authority(folder)  # makes ca.pem
        directory.create("reseller", ftp_access=True)
        directory.remove("acme-london")
        self.stage.account(self.server.customer)
        addresses = {"settings.email_alerts": ["it@acme.example"]}
        self._accounts.update_one({"_id": "acme"}, {"$set": addresses})
        self._kept = list(self._accounts.find())

    def restore(self) -> None:
        """What an example before may have taken away."""
        for each in self._kept:
            self._accounts.replace_one({"_id": each["_id"]}, each, upsert=True)
        self.stage.core.database["removed_accounts"].delete_many({})
        self.stage.core.directory.set_number(Number(NUMBER, "acme", DeliveryMethod.FTP))

    def prepare(self, example: str) -> None:
        """What this example alone needs."""
        for begins, needs in NEEDS.items():
            if example.startswith(f"courier {begins}"):
                needs(self)

    def dead(self) -> None:
        self.stage.core.database["deliveries"].delete_one({"_id": RECORDING})
        self.stage.dead(RECORDING)

    def delivered(self) -> None:
        """It arrived between two and three days ago, and its source is there."""
        ledger, rows = self.stage.core.ledger, self.stage.core.database["deliveries"]
        rows.delete_many({})
        url = (self.courier.folder / "call.wav").as_uri()
        deliver_one(ledger, claimed(ledger, "old", file_url=url), uploaded())
        then = datetime.now(UTC) - timedelta(days=2.5)
        times = {"created_at": then, "delivered_at": then}
        rows.update_one({"_id": "old"}, {"$set": times})

    def made_token(self) -> None:
        tokens = self.stage.core.database["tokens"]
        Tokens(self.stage.core.database, self.stage.core.directory.find).create("pipeline", None)
        made = tokens.find_one() or {}
        tokens.insert_one({**made, "_id": TOKEN})


NEEDS: dict[str, Callable[[Scene], None]] = {
    "accounts resume": lambda scene: _done(scene.stage.core.ledger.accounts.pause("acme")),
    "accounts try-now": lambda scene: scene.stage.suspended(),
    "accounts key discard": lambda scene: _done(
        scene.courier.inside("accounts", "key", "generate", "acme").code == 0
    ),
    "deliveries show": Scene.dead,
    "deliveries redeliver": Scene.delivered,
    "dead-letters": Scene.dead,
    "tokens revoke": Scene.made_token,
}


def _done(was: bool) -> None:  # noqa: FBT001 - what a step of the stage has answered
    assert was


@pytest.fixture
def scene(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    monkeypatch.chdir(courier.folder)
    return Scene(courier, stage, pyftpd_server)


def test_every_example_works_where_what_it_names_exists(scene: Scene) -> None:
    examples = [each for each in every_example() if each not in ENDLESS]
    assert len(examples) > 90
    for example in [each for each in examples if each.startswith(CREATE)]:
        assert scene.courier.inside(*shlex.split(example)[1:]).code == 0, example
    scene.begin()
    waits = [each for each in examples if "--wait" in each]
    with scene.courier.running():
        wrong = [*_failing(scene, waits)]
    wrong += _failing(scene, [each for each in examples if each not in waits])
    assert not wrong, "\n".join(wrong)


def _failing(scene: Scene, examples: Sequence[str]) -> Iterator[str]:
    for example in [each for each in examples if not each.startswith(CREATE)]:
        scene.restore()
        scene.prepare(example)
        code, said = _run(scene.courier, example)
        words = next((words for part, words in CANNOT.items() if part in example), "")
        if code != (1 if words else 0) or words not in said:
            yield f"{example}: {code}: {said}"


def _run(courier: Program, example: str) -> tuple[int, str]:
    """Its exit code, and what it said."""
    arguments = [name for word in shlex.split(example)[1:] for name in _globbed(word)]
    answers = next((each for begins, each in TYPED.items() if example.startswith(begins)), None)
    if answers is None:
        answer = courier.inside(*arguments, stdin=f"{PASSWORD}\n")
        return answer.code, answer.out + answer.err
    with on_terminal(courier, *arguments) as terminal:
        for question, typed in answers:
            terminal.until(question)
            terminal.type(typed)
        return terminal.end(), terminal.text


def _globbed(word: str) -> list[str]:
    """As a shell does it."""
    return [each.name for each in Path().glob(word)] if "*" in word else [word]


def test_what_runs_until_ctrl_c_ends_by_it_with_0(scene: Scene) -> None:
    scene.stage.account(scene.server.customer)
    assert set(ENDLESS) <= set(every_example())
    with ExitStack() as running:
        terminals: dict[str, Terminal] = {
            example: running.enter_context(
                on_terminal(scene.courier, *shlex.split(example)[1:], METRICS_BIND="127.0.0.1:0")
            )
            for example in ENDLESS
        }
        for example, terminal in terminals.items():
            terminal.until(ENDLESS[example] or "\n")
        until(lambda: scene.courier.inside("status", "--json").json["workers"] == 5, "the workers")
        for terminal in terminals.values():
            terminal.interrupt()
        ended = {example: each.end() for example, each in terminals.items()}
    assert ended == dict.fromkeys(ENDLESS, 0)
