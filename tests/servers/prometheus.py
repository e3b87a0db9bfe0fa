"""A real Prometheus that scrapes what a test tells it to."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen

from deploy.local.install import program
from deploy.local.processes import Child, ServiceError, free_port, wait_until

_START_SECONDS = 120.0
_ANSWER_SECONDS = 60.0
_CONFIGURATION = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 500ms
rule_files: {rules}
alerting:
  alertmanagers:
    - static_configs:
        - targets: {alertmanagers}
scrape_configs:
  - job_name: courier
    static_configs:
      - targets: {targets}
"""


class Prometheus:
    """Scrapes once and evaluates twice a second.

    `rules`: files of rules, as they stand; `tells`: Alertmanagers.
    """

    def __init__(
        self,
        folder: Path,
        targets: Sequence[str],
        rules: Sequence[Path] = (),
        tells: Sequence[str] = (),
    ) -> None:
        folder.mkdir()
        self._port = free_port()
        configuration = folder / "prometheus.yml"
        # JSON is YAML.
        configuration.write_text(
            _CONFIGURATION.format(
                rules=json.dumps([str(each) for each in rules]),
                targets=json.dumps([*targets]),
                alertmanagers=json.dumps([*tells]),
            )
        )
        path = program("prometheus")
        if path is None:
            raise ServiceError("Prometheus is not on this machine: run `make setup-tests`.")
        command = [
            str(path),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
            # It knows no Alertmanager yet when its first alerts fire.
            "--rules.alert.resend-delay=1s",
        ]
        self._child = Child("Prometheus", command, folder / "prometheus.log")

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that the expression gives now, each with `metric` and `value`."""
        found: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return found

    def ask(self, what: str, **arguments: str) -> Any:
        """The data of an answer of its API. Raises OSError where it refuses."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urlencode(arguments)}"
        with urlopen(url, timeout=_ANSWER_SECONDS) as answer:
            return json.load(answer)["data"]

    def __enter__(self) -> Self:
        try:
            self._child.start()
            wait_until(self._is_ready, _START_SECONDS, "Prometheus did not become ready.")
        except BaseException:
            self._child.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._child.kill()

    def _is_ready(self) -> bool:
        self._child.check()
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
