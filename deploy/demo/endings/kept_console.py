"""The demo's month to click through: the console over its books, for two people who are let in.

The clock stands at the month's end, so everybody sees the same. What people do is worked off as in
`wattledger up`; stations, partners and the payment provider are gone.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from deploy.clock import SteppedClock
from deploy.running.wiring import System, parts_for
from deploy.settings import Settings
from ledger.database import connect
from ledger.users.giving import Giver, add_account
from ledger.users.roles import Grant, Role
from ledger.users.user import User

_GONE: Final = frozenset({"stations", "roaming", "payments", "publishing"})
"""Parts whose other side was the demo's."""
PERSONS: Final = (
    User(
        name="mara",
        full_name="Mara Demo",
        grants=(Grant(Role.ADMINISTRATOR), Grant(Role.FINANCE), Grant(Role.PRICING)),
    ),
    User(
        name="theo",
        full_name="Theo Demo",
        grants=(Grant(Role.FINANCE), Grant(Role.PRICING)),
    ),
)
"""Two, as where money moves a second person has to agree."""
_BY: Final = "demo"


def keep_console(settings: Settings, port: int, said: Callable[[Sequence[str]], None]) -> None:
    """Serve the console over what a demo left, until Ctrl-C.

    Args:
        settings: The demo's, of its folder.
        port: Where; taken or 0: a free one.
        said: Told the lines that say where it is, once it answers.
    """
    clock = SteppedClock(path=settings.data / "demo-clock")
    kept = replace(settings, http_port=port)
    parts = [part for part in parts_for(kept) if part.name not in _GONE]
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with System(kept, clock, parts=parts) as system:
            links = _links(system.dsn, system.interface, clock)
            said([f"The console stays at {system.interface}/console, on the demo's month.", *links])
            while not stop.wait(1.0):
                pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _links(dsn: str, interface: str, clock: SteppedClock) -> list[str]:
    lines = ["Each link lets one person in, once: choose a password there."]
    with connect(dsn) as connection:
        for person in PERSONS:
            link = add_account(connection, person, Giver(_BY), clock.now())
            roles = ", ".join(grant.role.value for grant in person.grants)
            lines.append(f"  {person.name} ({roles}): {interface}/console/link/{link}")
    return [*lines, "Ctrl-C ends it; the data stays."]
