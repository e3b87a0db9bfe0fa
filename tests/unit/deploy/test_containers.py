"""RabbitMQ and MongoDB of the tests are containers where one variable asks for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from deploy.local import containers, mongodb, rabbitmq
from deploy.local.containers import Container
from deploy.local.processes import ServiceError

Start = Callable[[Path], AbstractContextManager[Any]]
STARTS = pytest.mark.parametrize(
    ("start", "image"),
    [(rabbitmq.broker, rabbitmq.IMAGE), (mongodb.database, mongodb.IMAGE)],
    ids=["rabbitmq", "mongodb"],
)


@pytest.fixture(autouse=True)
def _nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (containers.VARIABLE, rabbitmq.URL_VARIABLE, mongodb.URL_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images of the containers that were started; no engine is asked."""
    images: list[str] = []
    monkeypatch.setattr(containers, "engine", object)
    monkeypatch.setattr(containers, "has_image", lambda _image: True)
    monkeypatch.setattr(Container, "start", lambda self: images.append(self.image))
    monkeypatch.setattr(Container, "remove", lambda self: images.remove(self.image))
    return images


@STARTS
def test_the_variable_asks_for_a_container_also_where_the_server_is_installed(
    start: Start, image: str, started: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(containers.VARIABLE, "1")
    with start(tmp_path):
        assert started == [image]
    assert started == []


@STARTS
def test_a_server_that_is_given_by_its_url_goes_before_the_variable(
    start: Start, image: str, started: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(containers.VARIABLE, "1")
    monkeypatch.setenv(rabbitmq.URL_VARIABLE, "amqp://broker.example/")
    monkeypatch.setenv(mongodb.URL_VARIABLE, "mongodb://database.example/courier")
    with start(tmp_path) as server:
        assert ".example" in server.url
        assert image not in started


@pytest.mark.parametrize("value", ["", "0"])
def test_without_the_variable_no_engine_is_asked(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(containers.VARIABLE, value)
    monkeypatch.setattr(containers, "engine", lambda: pytest.fail("it was asked"))
    assert not containers.wanted(rabbitmq.IMAGE)


def test_no_engine_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(containers.VARIABLE, "1")
    monkeypatch.setattr(containers, "engine", lambda: None)
    with pytest.raises(ServiceError, match="no Docker engine answers: start one"):
        containers.wanted(rabbitmq.IMAGE)


def test_an_image_that_is_nowhere_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(containers.VARIABLE, "1")
    monkeypatch.setattr(containers, "engine", object)
    monkeypatch.setattr(containers, "has_image", lambda _image: False)
    monkeypatch.setattr(containers, "pull", lambda _image: False)
    with pytest.raises(ServiceError, match=f"image {mongodb.IMAGE} can be pulled from nowhere"):
        containers.wanted(mongodb.IMAGE)


def test_another_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(containers.VARIABLE, "docker")
    with pytest.raises(ServiceError, match="1 or 0, not 'docker'"):
        containers.wanted(rabbitmq.IMAGE)
