"""`wattledger tariff simulate`: what a tariff would have made of the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Group, Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from tariffs.model.policy import DEFAULT

_PAST: Final = Group("The past", sort_key=4)
_REPORTS: Final = Group("Reports", sort_key=5)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Past:
    """Which sessions are re-rated."""

    sessions: Annotated[Path | None, Parameter(group=_PAST)] = None
    """Sessions as .jsonl, .csv or .npz, or one as .yaml."""

    since: Annotated[date | None, Parameter(name="--from", group=_PAST)] = None
    """First day (UTC) of sessions from the books of the data folder."""

    until: Annotated[date | None, Parameter(name="--to", group=_PAST)] = None
    """The day after the last."""

    save: Annotated[Path | None, Parameter(group=_PAST)] = None
    """Write the sessions as a .npz here, which is read the fastest."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Reports:
    """What is written beside what is printed."""

    csv: Annotated[Path | None, Parameter(group=_REPORTS)] = None
    """Write every customer, site and month here."""

    session_csv: Annotated[Path | None, Parameter(group=_REPORTS)] = None
    """Write a row for every session here, old and new."""

    html: Annotated[Path | None, Parameter(group=_REPORTS)] = None
    """Write a page with tables and a chart here."""

    top: Annotated[int, Parameter(group=_REPORTS)] = 10
    """How many winners and losers each list shows."""


_NO_PAST: Final = Past()
_NO_REPORTS: Final = Reports()


def simulate(
    file: Path,
    *,
    against: Path | None = None,
    policy: str = DEFAULT.name,
    past: Past = _NO_PAST,
    reports: Reports = _NO_REPORTS,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Re-rate the past with a tariff: totals, customers, sites, winners and losers, old and new.

    The old side is what was billed, or another tariff (--against) on the same sessions. Sessions
    come from a file (--sessions), or from the books of the data folder (--from and --to).

    Args:
        file: The new tariff (YAML, or OCPI as .json).
        against: Tariff for the old side (default: what was billed).
        policy: The named policy to price with.
        past: Which sessions.
        reports: What is written.
        folder: Where the books are.
    """
    from deploy.commands.tariffs.back_test import back_test

    return back_test(file, against, policy=policy, past=past, reports=reports, folder=folder)
