"""The part `roaming`: partners are served where they have a port, and all else is in background.

Until a partner is declared there is nothing to do but to look whether one is, and no library for
it is loaded: a system without roaming has a process at rest.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from typing import Final, LiteralString

import psycopg

from deploy.errors import DeployError
from deploy.listening import listen
from deploy.observing.watch import Watch
from deploy.roaming.condition import RoamingCondition
from deploy.running.parts import PartContext
from deploy.running.processes import BEAT_SECONDS, Ready, beat
from ledger.database import connect

LOOK_SECONDS: Final = 5.0
_IS_DECLARED: LiteralString = "SELECT EXISTS (SELECT FROM declaration WHERE kind = 'partner')"
_LOGGER: Final = logging.getLogger("wattledger.roaming")


class RoamingPortError(DeployError):
    """Partners cannot be served where they should be."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}, port {port}, for roaming partners: "
            f"{error.strerror or error}; choose another one (WATTLEDGER_ROAMING_PORT=8090)"
        )


def run_roaming(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Serve partners where they have a port, and exchange with them in the background.

    *ready* is told where they are served, "" where they come to the interface.
    """
    condition = RoamingCondition(context.dsn)
    watch.begin(condition)
    listener = _open_listener(context)
    if listener is None:
        ready("")
        if not _wait_for_partner(context, stop, watch):
            return
    import uvloop  # noqa: PLC0415 - only once there is something to do

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_exchange(context, listener, stop, ready, watch, condition))
    stop.set()


def _open_listener(context: PartContext) -> socket.socket | None:
    host, port = context.settings.roaming_host, context.settings.roaming_port
    if port < 0:
        return None
    try:
        return listen(host, port, backlog=1024)
    except OSError as error:
        raise RoamingPortError(host, port, error) from error


def _wait_for_partner(context: PartContext, stop: threading.Event, watch: Watch) -> bool:
    """Return whether a partner is declared, once one is; False when it is time to stop."""
    beats = round(LOOK_SECONDS / BEAT_SECONDS)
    while not stop.is_set():
        try:
            with connect(context.dsn) as connection:
                [(is_declared,)] = connection.execute(_IS_DECLARED).fetchall()
            if is_declared:
                return True
        except psycopg.OperationalError:
            _LOGGER.warning("the database does not say whether a partner is declared")
        for _ in range(beats):
            watch.beat()
            if stop.wait(BEAT_SECONDS):
                break
    return False


async def _exchange(
    context: PartContext,
    listener: socket.socket | None,
    stop: threading.Event,
    ready: Callable[[object], None],
    watch: Watch,
    condition: RoamingCondition,
) -> None:
    from deploy.roaming.background import background_work  # noqa: PLC0415
    from deploy.roaming.blocking import blocking_work, run_blocking  # noqa: PLC0415
    from deploy.roaming.opening import opened_roaming  # noqa: PLC0415
    from deploy.roaming.serving import address_served, serve_partners  # noqa: PLC0415

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    if stop.is_set():  # the signal came before that
        stopping.set()
    # Who serves nobody tells nobody where: the interface and the commands do.
    address = "" if listener is None else address_served(context, listener)
    async with opened_roaming(context, address) as opened:
        work = background_work(context, opened)
        tasks = [asyncio.create_task(beat(watch)), asyncio.create_task(stopping.wait())]
        tasks += [asyncio.ensure_future(each(stopping)) for each in work.loops]
        blocking = blocking_work(context, work.followers, condition.follow)
        tasks += [asyncio.create_task(run_blocking(each, stopping)) for each in blocking]
        if listener is not None:
            serving = serve_partners(
                opened, listener, context.settings, stopping=stopping, ready=lambda: ready(address)
            )
            tasks.append(asyncio.create_task(serving))
        # What ends by itself ends all: whoever supervises the process starts it again.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        tasks.pop(0).cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for error in (each for each in ends if isinstance(each, BaseException)):
            raise error
