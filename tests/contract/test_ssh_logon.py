"""What SSH servers ask of whoever logs in, and what of it the platform can answer."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.accounts import LogonType
from deploy.local.customers import AsyncSshServer, Challenge
from tests.contract.accounts import open_session
from tests.servers import Sshd
from transports.errors import (
    LoginRefused,
    ProtocolFailed,
)
from transports.ssh.errors import (
    AgreementWanted,
    InteractiveOffered,
    KeyWanted,
    SecondFactorWanted,
)
from transports.ssh.logon import Answers

INTERACTIVE: dict[str, Any] = {"logon_type": LogonType.INTERACTIVE}
PASSWORD = (("Password: ", False),)
SECRET = "s3cret-of-the-test"


def _asking(folder: Path, rounds: Sequence[Challenge], **options: Any) -> AsyncSshServer:
    root = folder / "served"
    root.mkdir()
    return AsyncSshServer(root, logon=["keyboard-interactive"], challenges=rounds, **options)


@pytest.mark.parametrize(
    "text",
    [
        "If you have lost your token or one-time code, call 555.",
        "Your password will expire in 5 days and must be changed then.",
        "By logging in you agree to our terms (yes/no questions: see the portal).",
    ],
)
def test_the_text_beside_the_questions_may_speak_of_anything(tmp_path: Path, text: str) -> None:
    with _asking(tmp_path, [Challenge(PASSWORD, text)]) as server:
        open_session(server.customer, **INTERACTIVE).close()


@pytest.mark.parametrize(
    "question",
    [
        "Password: ",
        "customer's password:",
        "Kennwort: ",
        "Lösenord:",
        "Heslo: ",
        "パスワード:",
        "Who types the password agrees to our terms. Password:",
        "By your password you accept the terms (yes/no rules apply). Password: ",
    ],
)
def test_a_question_for_the_password_gets_it_though_its_answer_is_shown(
    tmp_path: Path, question: str
) -> None:
    echoed = Challenge(((question, True),), answers=(SECRET,))
    with _asking(tmp_path, [echoed], password=SECRET) as server:
        open_session(server.customer, **INTERACTIVE).close()


def test_a_hidden_question_for_the_username_gets_no_password(tmp_path: Path) -> None:
    hidden = Challenge((("Username: ", False), *PASSWORD), answers=("customer", SECRET))
    with _asking(tmp_path, [hidden], password=SECRET) as server:
        open_session(server.customer, **INTERACTIVE).close()


def test_a_username_that_speaks_of_codes_is_no_question_for_one(tmp_path: Path) -> None:
    asked = Challenge((("token@files password: ", False),))
    with _asking(tmp_path, [asked], username="token") as server:
        open_session(server.customer, **INTERACTIVE).close()


@pytest.mark.parametrize(
    "question",
    [
        "Do you accept the terms? (yes/no): ",
        "Agree [y/n]",
        "Type 'yes' to go on: ",
        "Press y to go on",
        "Please type 'I agree'",
        "Continue? (yes)",
        "Zustimmen (ja/nein)?",
        "Acceptez-vous (oui/non) ?",
        "Press ENTER to accept",
    ],
)
def test_a_server_that_wants_an_agreement_is_told_so(tmp_path: Path, question: str) -> None:
    terms = Challenge(((question, True),), "All your files are ours.", answers=("yes",))
    with (
        _asking(tmp_path, [Challenge(PASSWORD), terms]) as server,
        pytest.raises(AgreementWanted) as refused,
    ):
        open_session(server.customer, **INTERACTIVE)
    assert refused.value.words == (
        f"The server wants an agreement to its terms: All your files are ours. {question.strip()}"
    )


@pytest.mark.parametrize(
    "question",
    ["One-time password: ", "Token: ", "PIN: ", "Enter your 6 digit code:", "Password has expired"],
)
def test_a_code_is_what_the_platform_does_not_have(tmp_path: Path, question: str) -> None:
    with (
        _asking(tmp_path, [Challenge(((question, False),))]) as server,
        pytest.raises(SecondFactorWanted),
    ):
        open_session(server.customer, **INTERACTIVE)
    assert server.logins == 0


@pytest.mark.parametrize("echo", [True, False])
def test_who_wants_a_key_pressed_gets_neither_username_nor_password(
    tmp_path: Path, *, echo: bool
) -> None:
    pressed = Challenge((("Press Enter to continue", echo),), answers=("",))
    with _asking(tmp_path, [pressed, Challenge(PASSWORD)]) as server:
        open_session(server.customer, **INTERACTIVE).close()


def test_a_question_that_has_the_password_in_it_is_told_without_it(tmp_path: Path) -> None:
    asked = Challenge(((f"{SECRET} is no code: ", True),))
    with (
        _asking(tmp_path, [asked], password=SECRET) as server,
        pytest.raises(SecondFactorWanted) as refused,
    ):
        open_session(server.customer, **INTERACTIVE)
    assert refused.value.words.endswith("*** is no code:")


def test_the_right_password_at_a_server_with_questions_only_logs_in_with_normal_logon(
    tmp_path: Path,
) -> None:
    rounds = [Challenge((("User: ", True), ("Password: ", False))), Challenge(())]
    with _asking(tmp_path, rounds) as server:
        open_session(server.customer).close()


def test_a_refused_password_where_questions_are_offered_too_says_choose_interactive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.customers.sftp._Session.validate_password", lambda *_: False)
    root = tmp_path / "served"
    root.mkdir()
    with (
        AsyncSshServer(root, logon=["password", "keyboard-interactive"]) as server,
        pytest.raises(InteractiveOffered) as refused,
    ):
        open_session(server.customer)
    assert refused.value.words == "Authentication failed."
    assert "choose the logon type Interactive" in refused.value.advice


def test_a_server_that_takes_keys_only_is_told_so(tmp_path: Path) -> None:
    keys = ["AuthenticationMethods publickey", "PubkeyAuthentication yes"]
    with Sshd(tmp_path / "sshd", extra=keys) as server:
        for logon in (LogonType.NORMAL, LogonType.INTERACTIVE):
            with pytest.raises(KeyWanted) as refused:
                open_session(server.customer, logon_type=logon)
            assert refused.value.words == "The server only takes: publickey"


def test_questions_in_another_encoding_are_questions_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "asyncssh.auth.String",
        lambda text: asyncssh.packet.String(
            text.encode("latin-1") if isinstance(text, str) else text
        ),
    )
    with _asking(tmp_path, [Challenge((("Kennwort für customer: ", False),))]) as server:
        open_session(server.customer, **INTERACTIVE).close()


def test_four_thousand_million_questions_are_refused_at_once(
    tmp_path: Path,
) -> None:
    class Many(tuple[tuple[str, bool], ...]):
        def __len__(self) -> int:
            return 0xFFFFFFFF

    with (
        _asking(tmp_path, [Challenge(Many(PASSWORD))]) as server,
        pytest.raises(ProtocolFailed),
    ):
        open_session(server.customer, **INTERACTIVE)


@given(
    title=st.text(),
    text=st.text(),
    prompts=st.lists(st.tuples(st.text(), st.booleans()), max_size=20),
)
def test_whatever_is_asked_is_answered_or_refused(
    title: str, text: str, prompts: list[tuple[str, bool]]
) -> None:
    with contextlib.suppress(LoginRefused):
        assert len(Answers("customer", SecretStr(SECRET))(title, text, prompts)) == len(prompts)
