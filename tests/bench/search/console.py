"""A console in a process of its own, and how it is asked."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from config.settings import load_settings
from deploy.local.processes import wait_until
from tests.bench.search.rows import account_id
from tests.bench.search.world import LOGIN, PASSWORD, RESELLER
from worker.console.server import ConsoleServer
from worker.core import make_messaging, open_core

WAIT = 120.0


@dataclass(frozen=True)
class Asked:
    """The console's process, and who asks it."""

    pid: int
    operator: httpx.Client
    """Signed in as the service provider."""
    reseller: httpx.Client
    """Signed in for an account with many beneath it."""
    program: httpx.Client
    """With a token of the service provider."""
    resellers_program: httpx.Client


def serve(told: Path) -> None:
    """Answer until SIGTERM; where, and tokens for programs, is written into the file."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with open_core(load_settings()) as core:
        server = ConsoleServer("127.0.0.1:0", core, make_messaging(core, lambda _: None))
        server.start()
        host, port = server.address
        tokens = server.services.tokens
        _, program = tokens.create("bench", None)
        _, resellers = tokens.create("bench", account_id(1))
        facts = {
            "url": f"http://{host}:{port}",
            "program": program.get_secret_value(),
            "reseller": resellers.get_secret_value(),
        }
        gc.collect()
        gc.freeze()  # as `courier run` does
        told.with_suffix(".new").write_text(json.dumps(facts))
        told.with_suffix(".new").rename(told)
        signal.sigwait({signal.SIGTERM})
        server.stop()


@contextmanager
def console(folder: Path, environment: dict[str, str]) -> Iterator[Asked]:
    """One that runs, ended on exit."""
    told = folder / "console.json"
    argv = [sys.executable, "-m", "tests.bench.search", "--serve", str(told)]
    process = subprocess.Popen(argv, env={**os.environ, **environment})
    try:
        wait_until(told.exists, WAIT, "The console did not start.")
        facts = json.loads(told.read_text())
        with ExitStack() as stack:
            url = facts["url"]
            browsers = [
                stack.enter_context(closing(_signed_in(url, each))) for each in (LOGIN, RESELLER)
            ]
            programs = [
                stack.enter_context(closing(_program(url, facts[each])))
                for each in ("program", "reseller")
            ]
            yield Asked(process.pid, *browsers, *programs)
    finally:
        process.terminate()
        process.wait(WAIT)


def _signed_in(url: str, login: str) -> httpx.Client:
    browser = httpx.Client(base_url=url, headers={"Origin": url}, timeout=WAIT)
    browser.post("/sign-in", data={"login": login, "password": PASSWORD})
    browser.get("/accounts").raise_for_status()
    return browser


def _program(url: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=WAIT)
