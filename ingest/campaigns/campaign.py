"""Campaigns as people make them, look at them and change them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from ingest.campaigns.stages import CampaignState, stage_ends
from ingest.errors import IngestError
from ingest.files.firmware import Firmware

_MAKE: LiteralString = """
INSERT INTO firmware_campaign (name, firmware_id, is_plain, failures_percent, tries, at_once,
    heard_within, begins, ends, made_by, made_at, changed_by, changed_at)
VALUES (%(name)s, %(firmware_id)s, %(is_plain)s, %(failures_percent)s, %(tries)s, %(at_once)s,
    %(heard_within)s, %(begins)s, %(ends)s, %(by)s, %(at)s, %(by)s, %(at)s)
RETURNING id
"""
_STATIONS: LiteralString = """
INSERT INTO campaign_station (campaign_id, station_id, stage, number, vendor, model, time_zone)
SELECT %s, * FROM unnest(%s::text[], %s::integer[], %s::integer[], %s::text[], %s::text[],
    %s::text[])
"""
_LIST: LiteralString = """
SELECT campaign.id, campaign.name, version, state, stage, failures_percent, tries, at_once,
       heard_within, begins, ends, made_by, made_at, changed_by, changed_at
FROM firmware_campaign AS campaign JOIN firmware ON firmware.id = firmware_id
WHERE %(name)s::text IS NULL OR campaign.name = %(name)s
ORDER BY campaign.id DESC
"""
_REPORT: LiteralString = """
SELECT stage, vendor, model, count(*) AS stations,
       count(*) FILTER (WHERE state = 'waiting') AS waiting,
       count(*) FILTER (WHERE state = 'asked') AS asked,
       count(*) FILTER (WHERE state = 'done') AS done,
       count(*) FILTER (WHERE state = 'failed') AS failed
FROM campaign_station WHERE campaign_id = %s GROUP BY stage, vendor, model
ORDER BY stage, vendor, model
"""
_EACH: LiteralString = """
SELECT station_id AS station, stage, state, status, tries, asked_at, ended_at
FROM campaign_station WHERE campaign_id = %s ORDER BY stage, number
"""
_CHANGE: LiteralString = """
UPDATE firmware_campaign SET state = %(state)s, changed_by = %(by)s, changed_at = %(at)s,
    failures_noted = CASE WHEN %(state)s <> 'running' THEN failures_noted ELSE (
        SELECT count(*) FROM campaign_station WHERE campaign_id = id AND state = 'failed') END
WHERE name = %(name)s AND state = ANY(%(may)s)
"""
_FROM: Final = {
    CampaignState.PAUSED: ("running",),
    CampaignState.RUNNING: ("paused", "stopped"),
    CampaignState.CANCELLED: ("running", "paused", "stopped"),
}
"""What a campaign may be told, and where it has to be for that."""


class CampaignPlan(NamedTuple):
    """What is said of a campaign. `hours`: of the day at each site, from and until."""

    name: str
    stages: Sequence[str] = ("1", "10%", "100%")
    failures_percent: Decimal = Decimal(10)
    tries: int = 2
    at_once: int = 50
    heard_within: timedelta = timedelta(hours=6)
    hours: tuple[time, time] | None = None
    is_plain: bool = False


class ChosenStation(NamedTuple):
    """A station of a campaign."""

    station_id: str
    vendor: str
    model: str
    time_zone: str


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign; `stage` is the one that is open, counted from 1."""

    id: int
    name: str
    version: str
    state: CampaignState
    stage: int
    failures_percent: Decimal
    tries: int
    at_once: int
    heard_within: timedelta
    begins: time | None
    ends: time | None
    made_by: str
    made_at: datetime
    changed_by: str
    changed_at: datetime


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far the stations of one model in one stage are."""

    stage: int
    vendor: str
    model: str
    stations: int
    waiting: int
    asked: int
    done: int
    failed: int


class CampaignStation(msgspec.Struct, frozen=True, kw_only=True):
    """How far a station is; `status` is what it said, or why it failed."""

    station: str
    stage: int
    state: str
    status: str | None
    tries: int
    asked_at: datetime | None
    ended_at: datetime | None


class CampaignReport(Campaign, frozen=True, kw_only=True):
    """A campaign, by model and stage, and by station."""

    models: list[ModelReport]
    stations: list[CampaignStation]


class BadCampaignError(IngestError):
    """A campaign cannot be made so."""


class NoCampaignError(IngestError):
    """There is no campaign of that name, or none that may be told so."""


def create_campaign(
    connection: Connection[Any],
    plan: CampaignPlan,
    firmware: Firmware,
    stations: Sequence[ChosenStation],
    *,
    by: str,
    at: datetime,
) -> None:
    """Make a campaign; it runs from now on.

    Which station comes when is drawn by a hash of its id and the campaign's name, so that a small
    stage has stations of every site and age.

    Raises:
        BadCampaignError: If there are no stations, or there is one of that name.
        BadStageError: If its stages are none.
    """
    if not stations:
        message = "no station is chosen that the firmware fits and that does not have it"
        raise BadCampaignError(message)
    ends = stage_ends(plan.stages, len(stations))
    drawn = sorted(stations, key=lambda each: _draw(plan.name, each.station_id))
    stages = [next(n for n, end in enumerate(ends, 1) if i < end) for i in range(len(drawn))]
    rows = [
        (each.station_id, stage, number, *each[1:])
        for number, (each, stage) in enumerate(zip(drawn, stages, strict=True))
    ]
    begins, finish = plan.hours or (None, None)
    values = {
        **plan._asdict(), "firmware_id": firmware.id, "begins": begins, "ends": finish,
        "by": by, "at": at,
    }  # fmt: skip
    try:
        with connection.transaction():
            row = connection.execute(_MAKE, values).fetchone()
            assert row is not None
            columns = [list(column) for column in zip(*rows, strict=True)]
            connection.execute(_STATIONS, (row[0], *columns))
    except psycopg.errors.UniqueViolation as error:
        message = f"there is a campaign {plan.name} already, or a station twice"
        raise BadCampaignError(message) from error


def list_campaigns(connection: Connection[Any]) -> list[Campaign]:
    """Return every campaign, the newest first."""
    with connection.cursor(row_factory=class_row(Campaign)) as cursor:
        return cursor.execute(_LIST, {"name": None}).fetchall()


def read_campaign(connection: Connection[Any], name: str) -> CampaignReport:
    """Return a campaign and how far it is.

    Raises:
        NoCampaignError: If there is none.
    """
    with connection.cursor(row_factory=class_row(Campaign)) as cursor:
        found = cursor.execute(_LIST, {"name": name}).fetchone()
    if found is None:
        message = f"there is no campaign {name}: `wattledger firmware campaign list`"
        raise NoCampaignError(message)
    with connection.cursor(row_factory=class_row(ModelReport)) as models:
        report = models.execute(_REPORT, (found.id,)).fetchall()
    with connection.cursor(row_factory=class_row(CampaignStation)) as stations:
        each = stations.execute(_EACH, (found.id,)).fetchall()
    return CampaignReport(**msgspec.structs.asdict(found), models=report, stations=each)


def change_campaign(
    connection: Connection[Any], name: str, state: CampaignState, *, by: str, at: datetime
) -> None:
    """Pause, resume (RUNNING) or cancel a campaign; who was asked goes on meanwhile.

    Who resumes it takes note of what failed so far: only further failures stop it again.

    Raises:
        NoCampaignError: If there is none that may be told so.
    """
    told = {"name": name, "state": state, "may": list(_FROM[state]), "by": by, "at": at}
    if not connection.execute(_CHANGE, told).rowcount:
        message = (
            f"there is no campaign {name} that is {' or '.join(_FROM[state])}: "
            "`wattledger firmware campaign list` has how each stands"
        )
        raise NoCampaignError(message)


def _draw(name: str, station_id: str) -> bytes:
    return hashlib.sha256(f"{name}\0{station_id}".encode()).digest()
