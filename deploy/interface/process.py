"""The process that answers over HTTP: people at the interface, stations where files are.

Two applications on two ports. What one can do the other cannot; where `http_port` is -1 only files
are served. Another process serves the console alone. Libraries are imported when one runs, as in
deploy/running/processes.py.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from deploy.listening import place_of
from deploy.observing.watch import Watch
from deploy.running.parts import PartContext
from deploy.running.processes import beat

Ready = Callable[[object], None]


class HttpAddresses(NamedTuple):
    """Where the process answers; "" where it does not."""

    interface: str
    files: str


def serve_http(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Serve the HTTP interface, and files where they have a port."""
    import uvloop  # noqa: PLC0415 - only this process needs it

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_http(context, ready, watch, _servers))
    stop.set()


def serve_console(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Serve the console and nothing else."""
    import uvloop  # noqa: PLC0415 - only this process needs it

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_http(context, ready, watch, _console))
    stop.set()


async def _serve_http(
    context: PartContext,
    ready: Ready,
    watch: Watch,
    open_servers: Callable[[PartContext, asyncio.Event], list[_Server]],
) -> None:
    from deploy.observing.interface_condition import InterfaceCondition  # noqa: PLC0415

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    watch.begin(InterfaceCondition(context.dsn))
    beating = asyncio.create_task(beat(watch))
    servers = open_servers(context, stopping)
    silent = {each.name for each in servers}

    def began(name: str) -> None:
        silent.discard(name)
        if not silent:
            found = {each.name: each.address for each in servers}
            ready(HttpAddresses(found.get("interface", ""), found.get("files", "")))

    tasks = [asyncio.create_task(each.serve(partial(began, each.name))) for each in servers]
    try:
        # What ends by itself ends the other too.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        await asyncio.gather(*tasks)
    finally:
        beating.cancel()


class _Server(NamedTuple):
    name: str
    address: str
    serve: Callable[[Callable[[], None]], Coroutine[Any, Any, None]]


def _servers(context: PartContext, stopping: asyncio.Event) -> list[_Server]:
    """Open the ports that the settings name, and return what answers there."""
    settings, dsn = context.settings, context.dsn
    found = []
    # `run interface` serves it also where `up` would not, unless there are files to serve.
    if settings.http_port >= 0 or settings.files_port < 0:
        from deploy.interface.serving import open_http  # noqa: PLC0415
        from deploy.roaming.serving import serve_interface_to_all  # noqa: PLC0415

        listener = open_http(settings.http_host, max(settings.http_port, 0))
        serve = partial(serve_interface_to_all, context, listener, stopping=stopping)
        found.append(_Server("interface", f"http://{place_of(listener)}", _said(serve)))
    if settings.files_port >= 0:
        from deploy.interface.files_port import open_files, serve_files  # noqa: PLC0415

        listener = open_files(settings)
        serve = partial(serve_files, dsn, settings, listener, stopping=stopping)
        address = f"{settings.files_scheme}://{place_of(listener)}"
        found.append(_Server("files", address, _said(serve)))
    return found


def _console(context: PartContext, stopping: asyncio.Event) -> list[_Server]:
    """Open the interface's port for the console alone."""
    from deploy.console.alone import serve_console_alone  # noqa: PLC0415
    from deploy.interface.serving import open_http  # noqa: PLC0415

    listener = open_http(context.settings.http_host, max(context.settings.http_port, 0))
    serve = partial(serve_console_alone, context, listener, stopping=stopping)
    return [_Server("interface", f"http://{place_of(listener)}", _said(serve))]


def _said(
    serve: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[[Callable[[], None]], Coroutine[Any, Any, None]]:
    return lambda ready: serve(ready=ready)
