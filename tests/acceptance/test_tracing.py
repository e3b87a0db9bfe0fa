"""What the program loads for spans, and what it says where it cannot make them."""

import subprocess
import sys

import pytest

from tests.acceptance.program import LIMIT, Program, ended
from tests.integration.platform import until
from tests.servers.otlp import otlp_receiver

ENDS_BY_TELLING = """
import atexit, sys
wanted = ("opentelemetry", "google.protobuf")
atexit.register(lambda: print(*(name for name in sys.modules if name.startswith(wanted))))
from worker.cli import main
main()
"""


def loaded(courier: Program, *options: str, **changes: str) -> set[str]:
    """The modules that spans take, at the end of `courier run` after it has taken an event."""
    log = courier.folder / "run.log"
    environment = courier.environment({"METRICS_BIND": "127.0.0.1:0", **changes})
    with log.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", ENDS_BY_TELLING, "run", *options],
            cwd=courier.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
        with ended(process):
            until(lambda: "service_started" in log.read_text(), log.read_text, LIMIT)
            courier.inside("accounts", "create", "acme")
            source = courier.folder / "a.wav"
            source.write_bytes(b"a")
            courier.inside("publish", source, "--account", "acme", "--recording-id", "r1")
            shown = ("deliveries", "show", "r1")
            until(lambda: courier.inside(*shown).code == 0, log.read_text, LIMIT)
            process.terminate()
            out, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, log.read_text()
    return set(out.split())


def test_without_a_collector_nothing_of_opentelemetry_is_loaded(courier: Program) -> None:
    assert loaded(courier, "--no-console") == set()


def test_with_the_console_its_web_framework_loads_the_api_and_nobody_the_sdk(
    courier: Program,
) -> None:
    assert not {name for name in loaded(courier) if name.startswith("opentelemetry.sdk")}


def test_with_a_collector_the_program_sends_its_spans(courier: Program) -> None:
    with otlp_receiver() as collector:
        found = loaded(courier, "--no-console", OTLP_ENDPOINT=collector.url)
    assert "opentelemetry.sdk.trace" in found
    assert "process recordings.ready" in {span.name for span in collector.spans}


def test_a_collector_that_cannot_be_one_is_refused_at_the_start(courier: Program) -> None:
    assert courier.refuses("run", OTLP_ENDPOINT="127.0.0.1:4317") == (
        "COURIER_OTLP_ENDPOINT is not valid: must be the address of a collector of OTLP over "
        "HTTP, such as http://127.0.0.1:4318, without a user, a password or /v1/traces."
    )


def test_where_opentelemetry_is_not_installed_one_sentence_says_what_to_do(
    courier: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    assert courier.refuses("run", OTLP_ENDPOINT="http://127.0.0.1:4318") == (
        "COURIER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: install "
        "'courier[tracing]', or remove the setting."
    )
