"""A MongoDB that is no replica set: refused by every command, in one sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.mongodb import installed, private_member
from tests.acceptance.program import Program


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = installed()
    assert program is not None
    folder: Path = tmp_path_factory.mktemp("standalone")
    with private_member(folder, program, ()) as single:
        single.wait_ready()
        yield f"mongodb://{single.member}/courier"


@pytest.mark.parametrize(
    "command", [("run",), ("run", "--processes", "2"), ("accounts", "create", "acme")]
)
def test_a_single_server_is_refused(
    courier: Program, standalone: str, command: tuple[str, ...]
) -> None:
    answer = courier(*command, MONGODB_URL=standalone, METRICS_BIND="127.0.0.1:0")
    lines = answer.err.splitlines()
    assert (answer.code, answer.out) == (1, "")
    assert lines[-1].startswith("MongoDB is no replica set, so no write can be confirmed by a maj")
    assert lines[-1].endswith("or correct COURIER_MONGODB_URL.")
    assert "Traceback" not in answer.err


def test_check_names_it_too(courier: Program, standalone: str) -> None:
    answer = courier("check", "--json", MONGODB_URL=standalone)
    assert answer.code == 1
    (told,) = (each for each in answer.json if each["name"] == "MongoDB")
    assert told["detail"].startswith("it is no replica set")


def test_a_weaker_url_is_refused_before_anything_is_taken(courier: Program) -> None:
    url = f"{courier.settings['MONGODB_URL']}&readPreference=secondary"
    for command in ("run", "check"):
        sentence = courier.refuses(command, MONGODB_URL=url)
        assert sentence == (
            "COURIER_MONGODB_URL is not valid: must not set readPreference to anything but "
            "primary, which is what Courier uses: remove the option."
        )
