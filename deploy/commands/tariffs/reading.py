"""Reading a tariff file for a command: YAML, or OCPI's JSON."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from deploy.commands.text_files import read_text
from deploy.errors import DeployError
from deploy.output import complain
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.compiled import CompiledTariff
from tariffs.ocpi.tariff_reader import read_ocpi_tariff


def compiled_tariff(path: Path) -> CompiledTariff:
    """Read a tariff from YAML, or from OCPI's JSON with its notes on the other channel.

    Raises:
        DeployError: If the file has problems; they are all named.
    """
    text = read_text(path)
    if path.suffix == ".json":
        read, notes = read_ocpi_tariff(text.encode())
        for note in notes:
            complain(f"{path}: {note.spot or '$'}: {note.message}")
        return CompiledTariff(read)
    tariff, problems = read_tariff_file(text, str(path))
    if tariff is None:
        raise DeployError("\n".join(str(problem) for problem in problems))
    return CompiledTariff(tariff)


def monday_of(day: date | None) -> date:
    """Return the Monday of the week of *day*, by default of this week."""
    if day is None:
        from deploy.clock import SystemClock

        day = SystemClock().now().date()
    return day - timedelta(days=day.weekday())
