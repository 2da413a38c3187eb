"""How commands print: tables for people, JSON for machines, problems on the other channel.

Nothing else writes to a terminal. What comes from stations and partners is made safe here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from tariffs.phrases.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from rich.console import Console

RIGHT = "right"
# An energy's value up to its last digit that is none of the idle zeros, and those.
ANSWER_MAX: Final = 1_000
_ENERGY: Final = re.compile(rb'("(?:\w+_)?k?wh":"-?\d+(?:\.\d*[1-9])?)\.?0*(?=")')


def console() -> Console:
    """Return where results go; piped output is wide enough for every column."""
    from rich.console import Console  # noqa: PLC0415 - what prints JSON starts without it

    class Printing(Console):
        def on_broken_pipe(self) -> None:
            # The library ends the program with 1: whoever read our output has seen enough.
            raise BrokenPipeError

    return Printing(width=None if sys.stdout.isatty() else 190, highlight=False)


def print_json(content: object, *, names: Mapping[str, str] | None = None) -> None:
    """Print *content* as JSON: decimals as exact text, times as ISO 8601.

    Energies have no idle zeros: how many digits a station writes is no part of what it metered.
    Subject ids in it are replaced by their *names*.
    """
    encoded = _ENERGY.sub(rb"\1", msgspec.json.encode(content, order="deterministic"))
    text = msgspec.json.format(encoded, indent=2).decode()
    if names:
        from ledger.persons.store import readable  # noqa: PLC0415 - few need it

        text = readable(text, names, _within_json)
    print_json_text(text)


def _within_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]


def print_json_text(text: str) -> None:
    """Print a JSON *text* that is written already; where lines mean something, it is one."""
    sys.stdout.write(printable_json(text) + "\n")


def print_file(text: str) -> None:
    """Print the content of a file, which a file is made of: as it is, unless a person looks on."""
    if sys.stdout.isatty():
        text = "\n".join(map(printable, text.split("\n")))
    sys.stdout.write(text)


def print_rows(title: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
    """Print *rows* under *columns* (heading to "left" or "right"), or that there are none."""
    from rich.table import Table  # noqa: PLC0415 - what prints JSON starts without it
    from rich.text import Text  # noqa: PLC0415

    out = console()
    title = "\n".join(map(printable, title.split("\n")))
    if not rows:
        out.print(f"{title}: none", markup=False)
        return
    table = Table(title=Text(title), title_justify="left", title_style="bold", header_style="bold")
    for heading, justify in columns.items():
        table.add_column(heading, justify="right" if justify == RIGHT else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    out.print(table)


def utc(moment: datetime) -> str:
    """Return *moment*, of whatever zone, as UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def shown(cell: object) -> str:
    """Return *cell* as people read it; times are UTC."""
    match cell:
        case None:
            return "-"
        case datetime():
            return utc(cell)
        case Decimal():
            return f"{cell.normalize():f}"
        case list() | tuple():
            return ", ".join(shown(each) for each in cell) or "-"
        case _:
            return printable(str(cell))


def say(*lines: str) -> None:
    """Print each of *lines* as one line, whatever stands in it."""
    # As it is: to lay it out for a terminal takes longer than to price a session.
    sys.stdout.write(f"{printable_lines(lines)}\n")


def say_styled(parts: Iterable[tuple[str, str]]) -> None:
    """Print one line of texts, each with its style."""
    from rich.text import Text  # noqa: PLC0415 - what prints JSON starts without it

    line = Text.assemble(*((printable(text), style) for text, style in parts))
    console().print(line, soft_wrap=True)


def ask(question: str) -> str:
    """Return what somebody at the terminal answers, at most a thousand characters of it."""
    sys.stderr.write(printable(question))
    sys.stderr.flush()
    return sys.stdin.readline(ANSWER_MAX).strip()


def complain(text: str) -> None:
    """Print a problem; one that takes several lines is indented by who tells it."""
    from rich.console import Console  # noqa: PLC0415 - what prints JSON starts without it

    Console(stderr=True, highlight=False, soft_wrap=True).print(
        "\n".join(map(printable, text.split("\n"))), markup=False
    )
