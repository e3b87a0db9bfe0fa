"""The clock of whatever RabbitMQ feeds: from all messages in their queues until none is left.

The processes that work on them, which are up and have nothing to do, are frozen (SIGSTOP) while
the messages are published, and woken (SIGCONT) as the clock starts: their start and the publishing
are not counted. It ends when the broker knows of no message any more, neither ready nor
unacknowledged: a small process in the broker looks at the queues themselves every few milliseconds
and writes down the time.
"""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.local.services import Services
from tests.integration.platform import until

END_SECONDS = 900.0

_WATCH = """
Total = fun(Name) ->
    case rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, Name)) of
        {{ok, Queue}} ->
            Ask = fun rabbit_fifo:query_messages_total/1,
            case ra:leader_query(amqqueue:get_pid(Queue), Ask) of
                {{ok, {{_, Number}}, _}} -> Number;
                _ -> -1
            end;
        _ -> 0
    end
end,
Watch = fun Again([]) ->
                file:write_file("{file}", integer_to_binary(os:system_time(microsecond)));
            Again([Name | Rest] = Names) ->
                case Total(Name) of
                    0 -> Again(Rest);
                    _ -> timer:sleep(4), Again(Names)
                end
        end,
Names = [{queues}],
All = fun() -> lists:sum([Total(Name) || Name <- Names]) end,
Wait = fun Again(0) -> All();
           Again(Left) ->
               case All() of
                   {messages} -> {messages};
                   _ -> timer:sleep(20), Again(Left - 1)
               end
       end,
There = Wait({patience}),
spawn(fun() -> Watch(Names) end),
There.
"""
"""Waits until all messages lie there, then tells when the queues, one after the other, are empty.

The first queue is the one that others are filled from: once it is empty nothing comes into them.
All are quorum queues.
"""


@dataclass(frozen=True)
class Clock:
    """Measures in one virtual host."""

    services: Services
    vhost: str
    folder: Path

    def time(
        self,
        publish: Callable[[], None],
        messages: int,
        queues: Sequence[str],
        *,
        pids: Sequence[int],
        missing: Callable[[], str],
        frozen_for: float = 0.0,
    ) -> float:
        """Seconds from all messages in these queues until none is left in any of them.

        `frozen_for`: the least seconds that the processes are frozen, for those that nap.
        """
        with frozen(pids):
            thawed = time.monotonic() + frozen_for
            publish()
            ended = self._watch(queues, messages)
            time.sleep(max(0.0, thawed - time.monotonic()))
            began = time.time()
        return self._end(ended, missing) - began

    def empty(self, queues: Sequence[str], missing: Callable[[], str]) -> None:
        """Wait until none of these queues has a message. Raises AssertionError."""
        self._end(self._watch(queues, None), missing)

    def _watch(self, queues: Sequence[str], messages: int | None) -> Path:
        """The file that will say when they were empty."""
        ended = self.folder / f"ended-{uuid.uuid4().hex}"
        there = self.services.rabbitmq.evaluate(
            _WATCH.format(
                vhost=self.vhost,
                messages=messages or 0,
                patience=0 if messages is None else 1500,
                file=ended,
                queues=",".join(f'<<"{queue}">>' for queue in queues),
            )
        )
        assert messages is None or there == str(messages), f"of {messages} {there} are in RabbitMQ"
        return ended

    def _end(self, ended: Path, missing: Callable[[], str]) -> float:
        until(lambda: _stamp(ended), missing, END_SECONDS)
        return _stamp(ended) / 1e6


@contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """These processes get no processor."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _stamp(file: Path) -> int:
    with suppress(FileNotFoundError, ValueError):
        return int(file.read_text())
    return 0
