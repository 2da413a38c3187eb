"""A round of the campaigns: what came of who was asked, which stage is open, who is asked next.

The process that has the upkeep's lease makes it, and everything stands in tables before a call is
asked for. Who is marked as asked has the id of the call to come: where a kill or an error kept it
from being asked for, the next round asks for it under the same id, of which there can be but one.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

from psycopg import Connection

from ingest.campaigns.outcomes import AskedStation, outcome
from ingest.campaigns.stages import CampaignState, StageCount, progress
from ingest.commands.asking import COMMAND_COLUMNS, command_of
from ingest.commands.outcome import CommandOutcome, outcome_of
from ingest.commands.typed import TypedCall
from ingest.files.addresses import NoFilesServedError
from ingest.files.calls import Called, firmware_call
from ingest.files.firmware import firmware_of

AGAIN_AFTER: Final = timedelta(minutes=10)
"""Between a failure and the next try."""
_LOGGER = logging.getLogger(__name__)
# Of 1.6's plain update no message names the request: what came since it was asked is of it.
_ASKED: LiteralString = """
SELECT campaign_id, station_id, asked.tries < campaign.tries, command_id, version, asked_at,
       heard_within, state.firmware, booted_at,
       ARRAY(SELECT status FROM transfer_status AS told
             WHERE told.station_id = asked.station_id AND kind = 'firmware' AND (
                 request_id IN (SELECT id FROM file_address
                                WHERE file_address.command_id = asked.command_id)
                 OR (request_id IS NULL AND received_at > asked_at))
             ORDER BY position, line)
FROM campaign_station AS asked
JOIN firmware_campaign AS campaign ON campaign.id = campaign_id
JOIN firmware ON firmware.id = firmware_id
LEFT JOIN station_state AS state USING (station_id)
WHERE asked.state = 'asked'
"""
_CALLS: LiteralString = (
    "SELECT " + COMMAND_COLUMNS + " FROM station_command WHERE id = ANY(%s)"  # noqa: S608 - ours
)
_END: LiteralString = """
UPDATE campaign_station
SET state = %(state)s, status = %(status)s, not_before = %(again)s::timestamptz,
    ended_at = %(over)s, command_id = CASE WHEN %(again)s::timestamptz IS NULL THEN command_id END
WHERE campaign_id = %(campaign)s AND station_id = %(station)s
"""
_COUNTS: LiteralString = """
SELECT campaign.id, campaign.stage, failures_percent, failures_noted, each.stage,
       count(*) FILTER (WHERE each.state = 'waiting'),
       count(*) FILTER (WHERE each.state = 'waiting' AND link.station_id IS NOT NULL),
       count(*) FILTER (WHERE each.state = 'asked'),
       count(*) FILTER (WHERE each.state = 'done'),
       count(*) FILTER (WHERE each.state = 'failed')
FROM firmware_campaign AS campaign JOIN campaign_station AS each ON campaign_id = campaign.id
LEFT JOIN connected_station AS link USING (station_id)
WHERE campaign.state = 'running' GROUP BY campaign.id, each.stage ORDER BY campaign.id, each.stage
"""
_GO_ON: LiteralString = """
UPDATE firmware_campaign SET state = %s, stage = %s, changed_by = %s, changed_at = %s WHERE id = %s
"""
# Within its hours; over midnight they begin after they end.
_NEXT: LiteralString = """
UPDATE campaign_station AS each
SET state = 'asked', command_id = coalesce(command_id, gen_random_uuid()), asked_at = %(at)s,
    tries = each.tries + 1, status = NULL
FROM (
    SELECT campaign_id, station_id FROM firmware_campaign AS campaign
    CROSS JOIN LATERAL (
        SELECT campaign_id, waiting.station_id FROM campaign_station AS waiting
        JOIN connected_station USING (station_id)
        CROSS JOIN LATERAL (SELECT (%(at)s AT TIME ZONE time_zone)::time AS hour) AS local
        WHERE campaign_id = campaign.id AND state = 'waiting' AND waiting.stage <= campaign.stage
          AND (not_before IS NULL OR not_before <= %(at)s)
          AND (begins IS NULL OR CASE WHEN begins < ends THEN hour >= begins AND hour < ends
                                      ELSE hour >= begins OR hour < ends END)
          AND NOT EXISTS (SELECT FROM campaign_station AS other
                          WHERE other.station_id = waiting.station_id AND other.state = 'asked')
        ORDER BY waiting.stage, number LIMIT greatest(0, at_once - (
            SELECT count(*) FROM campaign_station AS busy
            WHERE busy.campaign_id = campaign.id AND busy.state = 'asked'))
    ) AS found WHERE campaign.id = %(campaign)s
) AS next
WHERE (each.campaign_id, each.station_id) = (next.campaign_id, next.station_id)
"""
_TO_ASK: LiteralString = """
SELECT each.station_id, protocol, command_id, campaign.name, firmware_id, is_plain
FROM campaign_station AS each JOIN firmware_campaign AS campaign ON campaign.id = campaign_id
JOIN connected_station USING (station_id)
WHERE each.state = 'asked' AND campaign.state = 'running'
  AND NOT EXISTS (SELECT FROM station_command WHERE station_command.id = command_id)
"""
# Nobody asked for the call yet, and the station went: it waits as before. The id stays: whoever
# stood still with it asks for no other call than the next round does.
_BACK: LiteralString = """
UPDATE campaign_station AS each SET state = 'waiting', tries = tries - 1
WHERE state = 'asked' AND asked_at < %s
  AND NOT EXISTS (SELECT FROM station_command WHERE station_command.id = command_id)
  AND (NOT EXISTS (SELECT FROM connected_station AS link WHERE link.station_id = each.station_id)
       OR NOT EXISTS (SELECT FROM firmware_campaign AS campaign
                      WHERE campaign.id = campaign_id AND campaign.state = 'running'))
"""


class FirmwareOrder(NamedTuple):
    """A call that a campaign wants asked for, under its id."""

    station_id: str
    command_id: UUID
    campaign: str
    call: TypedCall


def campaign_round(
    connection: Connection[Any], base: str, *, by: str, at: datetime
) -> list[FirmwareOrder]:
    """Go on with every campaign in the caller's transaction; return what is to be asked now.

    Args:
        connection: To the inputs and the books.
        base: Where stations reach the files.
        by: Who makes the round.
        at: The present moment of the product's clock.

    Raises:
        LongAddressError: If *base* is too long.
    """
    _judge(connection, at)
    connection.execute(_BACK, (at,))
    running = _go_on(connection, by=by, at=at)
    if running and not base:
        _LOGGER.warning("campaigns wait: %s", NoFilesServedError())
        return []
    for campaign_id in running:
        connection.execute(_NEXT, {"at": at, "campaign": campaign_id})
    found = []
    for station_id, protocol, command_id, name, firmware_id, is_plain in connection.execute(
        _TO_ASK
    ).fetchall():
        called = Called(station_id, protocol, command_id)
        firmware = firmware_of(connection, firmware_id)
        call = firmware_call(connection, base, called, firmware, at=at, is_plain=is_plain)
        found.append(FirmwareOrder(station_id, command_id, name, call))
    return found


def _judge(connection: Connection[Any], at: datetime) -> None:
    """Note how updates ended."""
    rows = connection.execute(_ASKED).fetchall()
    calls = _calls(connection, [row[3] for row in rows])
    for campaign_id, station_id, may_again, command_id, *asked in rows:
        version, asked_at, heard_within, firmware, booted_at, told = asked
        station = AskedStation(
            version, asked_at, heard_within, calls.get(command_id), told, firmware, booted_at
        )
        ended = outcome(station, at)
        if ended is None:
            continue
        is_over = ended.is_done or not may_again
        noted = {
            "state": ("done" if ended.is_done else "failed") if is_over else "waiting",
            "status": ended.status,
            "again": None if is_over else at + AGAIN_AFTER,
            "over": at if is_over else None,
            "campaign": campaign_id,
            "station": station_id,
        }
        connection.execute(_END, noted)


def _calls(connection: Connection[Any], ids: list[UUID]) -> dict[UUID, CommandOutcome]:
    found = [command_of(row) for row in connection.execute(_CALLS, (ids,)).fetchall()]
    return {each.id: outcome_of(each, {}) for each in found}


def _go_on(connection: Connection[Any], *, by: str, at: datetime) -> list[int]:
    """Open stages, stop and end campaigns; return those that still run."""
    stages: defaultdict[tuple[Any, ...], list[StageCount]] = defaultdict(list)
    for *campaign, _stage, waiting, reachable, asked, done, failed in connection.execute(_COUNTS):
        stages[tuple(campaign)].append(StageCount(waiting, reachable, asked, done, failed))
    running = []
    for (campaign_id, stage, percent, noted), counts in stages.items():
        now = progress(counts, stage, failures_percent=percent, failures_noted=noted)
        if now != (CampaignState.RUNNING, stage):
            connection.execute(_GO_ON, (*now, by, at, campaign_id))
            _LOGGER.info("campaign %s: %s, stage %s", campaign_id, *now)
        if now.state is CampaignState.RUNNING:
            running.append(campaign_id)
    return running
