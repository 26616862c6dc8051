"""Connections with deadlines: what uvicorn leaves to a proxy in front of it, for servers that have none.

Without them a client that opens connections and says nothing, or reads no answer, keeps each of them for ever. What is
no HTTP, or half a request for too long, is refused here with a problem document, because no application sees it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from hilum.serving.http.problems import Problem, problem_response
from hilum.serving.http.settings import Settings
from hilum.serving.http.uploads import LINGER

logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def bounded_protocol(settings: Settings) -> type[H11Protocol]:
    """The protocol of a server with these deadlines."""

    class Bounded(H11Protocol):
        """A connection that is aborted when its client is too slow."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.head_timer: asyncio.TimerHandle | None = None
            self.write_timer: asyncio.TimerHandle | None = None
            self.linger_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self._await_head()
            if len(self.connections) > settings.connections:
                _close_oldest(self.connections, settings.connections)

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.linger_timer is not None:
                return  # refused; read so that the client sees its answer and not a broken connection
            if self.head_timer is None and self.is_waiting:
                self._await_head()  # the first byte of another request
            super().data_received(data)
            if not self.is_waiting and self.head_timer is not None:
                self.head_timer.cancel()
                self.head_timer = None

        def pause_writing(self) -> None:
            super().pause_writing()
            self._abort_later()

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.write_timer is not None and not self.transport.is_closing():
                self.write_timer.cancel()
                self.write_timer = None

        def timeout_keep_alive_handler(self) -> None:
            if self.is_waiting:
                super().timeout_keep_alive_handler()
                self._abort_later()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.their_state is h11.SEND_BODY:
                self.transport.close()  # answered before the request was whole: the rest is not wanted
            if self.transport.is_closing():
                self._abort_later()

        def send_400_response(self, msg: str) -> None:
            self._refuse(Problem(400, "malformed", "Not HTTP/1.1, or a head that is too long.", close=True))

        def _refuse(self, problem: Problem) -> None:
            """Answers what never became a request, and closes."""
            if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                self.transport.close()  # an answer is under way already
                return
            answer = problem_response(problem)
            head = h11.Response(status_code=problem.status, headers=answer.raw_headers, reason=b"")
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.write_eof()
            self.linger_timer = self.loop.call_later(LINGER, self.transport.abort)

        @property
        def is_waiting(self) -> bool:
            """Whether no request is being answered."""
            return self.cycle is None or self.cycle.response_complete

        def _await_head(self) -> None:
            self.head_timer = self.loop.call_later(settings.head_seconds, self._abort_if_waiting)

        def _abort_if_waiting(self) -> None:
            self.head_timer = None
            if self.is_waiting and self.conn.trailing_data[0]:
                detail = f"The head did not arrive within {settings.head_seconds:g} s."
                self._refuse(Problem(408, "too-slow", detail, close=True))
            elif self.is_waiting:
                self.transport.abort()

        def _abort_later(self) -> None:
            """A closed connection still waits until its client has read everything; this is for how long."""
            if self.write_timer is None:
                self.write_timer = self.loop.call_later(settings.write_seconds, self.transport.abort)

        def _cancel(self) -> None:
            for timer in (self.head_timer, self.write_timer, self.linger_timer):
                if timer is not None:
                    timer.cancel()

    return Bounded


def _close_oldest(connections: set[Any], most: int) -> None:
    """Aborts connections without a whole request, those first that have waited longest."""
    waiting = [each for each in connections if each.head_timer is not None and each.is_waiting]
    waiting.sort(key=lambda each: each.head_timer.when())
    for each in waiting[: max(0, len(connections) - most)]:
        each.transport.abort()
