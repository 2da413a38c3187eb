"""`wattledger firmware campaign`: firmware for many stations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from deploy.commands.data_folder import PLAIN, READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

    from ingest.campaigns.campaign import CampaignPlan, ChosenStation
    from ingest.campaigns.stages import CampaignState
    from ingest.files.firmware import Firmware
    from projections.stations.registered import RegisteredStation

Several = Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())]
Plain = Annotated[bool, Parameter(negative=(), help="Without the signature, if there is one.")]
STAGES = ["1", "10%", "100%"]
STATIONS_MAX = 1_000_000
PERCENT = 100
HOURS_MAX = 720
COLUMNS = {
    "campaign": "left",
    "version": "left",
    "state": "left",
    "stage": "right",
    "made": "left",
    "by": "left",
}
MODELS = {
    "stage": "right",
    "vendor": "left",
    "model": "left",
    "stations": "right",
    "waiting": "right",
    "asked": "right",
    "done": "right",
    "failed": "right",
}
FAILED = {"station": "left", "stage": "right", "why": "left", "tries": "right", "when": "left"}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which stations a campaign is for."""

    vendor: str | None = None
    """The firmware for this vendor, and its stations."""

    model: str | None = None
    """The firmware for this model, and its stations."""

    site: Several = None
    """Only stations of these sites."""

    station: Several = None
    """Only these stations."""

    def has(self, station: RegisteredStation) -> bool:
        """Say whether *station* is of these, but for its name."""
        return (
            (not self.site or station.site in self.site)
            and self.vendor in (None, "", station.vendor)
            and self.model in (None, "", station.model)
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Course:
    """How a campaign goes on."""

    stages: Several = None
    """How many stations are asked up to each stage, or which share of all (1 10% 100%)."""

    stop_at: Annotated[Decimal, PLAIN] = Decimal(10)
    """The per cent of the stations in opened stages at whose failure it stops."""

    tries: int = 2
    """How often a station is asked at most."""

    hours: float = 6
    """After how long a station has failed that says nothing of how it ended."""

    at_once: int = 50
    """How many are asked at the same time."""

    between: str | None = None
    """Hours of the day at the site in which stations are asked, as 22:00-05:00."""

    plain: Plain = False
    """Without the signature, if there is one: stations of 1.6 may know none."""

    def plan(self, name: str) -> CampaignPlan:
        """Return it as a plan.

        Raises:
            DeployError: If a number is out of its range, or the hours are none.
        """
        from ingest.campaigns.campaign import CampaignPlan

        shares = 0 <= self.stop_at <= PERCENT
        if not (shares and 0 < self.hours <= HOURS_MAX and min(self.tries, self.at_once) > 0):
            message = (
                f"--stop-at is 0 to {PERCENT}, --hours up to {HOURS_MAX}; "
                "--tries, --hours and --at-once are more than 0"
            )
            raise DeployError(message)
        return CampaignPlan(
            name=name,
            stages=self.stages or STAGES,
            failures_percent=self.stop_at,
            tries=self.tries,
            at_once=self.at_once,
            heard_within=timedelta(hours=self.hours),
            hours=_hours(self.between),
            is_plain=self.plain,
        )


ALL = Selection()
COURSE = Course()


def create(
    name: str,
    version: str,
    *,
    of: Selection = ALL,
    course: Course = COURSE,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Begin to bring a firmware to many stations, in stages, until too many fail.

    Stations that the firmware does not fit, or that have it, are left out.

    Args:
        name: What the campaign is called.
        version: The version of a firmware that `firmware add` keeps.
        of: Which stations.
        course: How it goes on.
        by: Who begins it (default: your login).
        folder: Where.
    """
    from ingest.campaigns.campaign import create_campaign
    from ingest.files.addresses import NoFilesServedError
    from ingest.files.firmware import find_firmware

    settings, at, plan = folder.settings(), datetime.now(UTC), course.plan(name)
    if not settings.files_base:
        raise NoFilesServedError
    with opened(settings) as connection:
        firmware = find_firmware(connection, version, vendor=of.vendor, model=of.model)
        chosen = _chosen(connection, firmware, of, at)
        create_campaign(connection, plan, firmware, chosen, by=acting(by), at=at)
    if folder.json:
        print_json({"name": name, "version": version, "stations": len(chosen)})
    else:
        say(f"campaign {name} brings {version} to {len(chosen)} stations")
    return 0


def listed(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the campaigns, the newest first.

    Args:
        folder: Where.
    """
    from ingest.campaigns.campaign import list_campaigns

    with opened(folder.settings()) as connection:
        found = list_campaigns(connection)
    if folder.json:
        print_json(found)
        return 0
    rows = [(e.name, e.version, e.state, e.stage, e.made_at, e.made_by) for e in found]
    print_rows("Campaigns", COLUMNS, rows)
    return 0


def show(name: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show how far a campaign is, by stage and model, and which stations failed.

    Args:
        name: The campaign.
        folder: Where.
    """
    from ingest.campaigns.campaign import read_campaign

    with opened(folder.settings()) as connection:
        found = read_campaign(connection, name)
    if folder.json:
        print_json(found)
        return 0
    say(f"{found.name}: {found.version}, {found.state}, stage {found.stage}")
    models = [
        (e.stage, e.vendor, e.model, e.stations, e.waiting, e.asked, e.done, e.failed)
        for e in found.models
    ]
    print_rows("By stage and model", MODELS, models)
    failed = [
        (e.station, e.stage, e.status, e.tries, e.ended_at)
        for e in found.stations
        if e.state == "failed"
    ]
    print_rows("Failed", FAILED, failed)
    return 0


def pause(name: str, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Let a campaign ask no further station for now.

    Args:
        name: The campaign.
        by: Who says so (default: your login).
        folder: Where.
    """
    from ingest.campaigns.stages import CampaignState

    return _change(name, CampaignState.PAUSED, by, folder)


def resume(name: str, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Let a campaign go on that was paused, or stopped because too many failed.

    What failed so far is taken note of: only further failures stop it again.

    Args:
        name: The campaign.
        by: Who says so (default: your login).
        folder: Where.
    """
    from ingest.campaigns.stages import CampaignState

    return _change(name, CampaignState.RUNNING, by, folder)


def cancel(name: str, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """End a campaign; stations that were asked already are not told.

    Args:
        name: The campaign.
        by: Who says so (default: your login).
        folder: Where.
    """
    from ingest.campaigns.stages import CampaignState

    return _change(name, CampaignState.CANCELLED, by, folder)


def _change(name: str, state: CampaignState, by: str | None, folder: ReadingFolder) -> int:
    from ingest.campaigns.campaign import change_campaign

    with opened(folder.settings()) as connection:
        change_campaign(connection, name, state, by=acting(by), at=datetime.now(UTC))
    if folder.json:
        print_json({"name": name, "state": state})
    else:
        say(f"campaign {name} is {state}")
    return 0


def _chosen(
    connection: Connection[Any], firmware: Firmware, of: Selection, at: datetime
) -> list[ChosenStation]:
    """Return the stations that are asked for, that the firmware fits and that do not have it.

    Raises:
        DeployError: If one that is named is not declared, or the firmware does not fit it.
    """
    from ingest.campaigns.campaign import ChosenStation
    from ingest.files.firmware import fits
    from ledger.declared.identities import canonical
    from ledger.declared.store import NewestDeclarations
    from projections.stations.registered import read_stations

    named = {canonical(each): each for each in of.station or ()}
    known = NewestDeclarations().of(connection)
    found = []
    for each in read_stations(connection, at=at, limit=STATIONS_MAX):
        is_named = named.pop(canonical(each.id), None) is not None
        if of.station and not is_named:
            continue
        if not of.has(each):
            continue
        if not fits(firmware, each.vendor, each.model):
            if is_named:
                message = f"{each.id} is {each.vendor} {each.model}: the firmware does not fit it"
                raise DeployError(message)
            continue
        if each.firmware != firmware.version:
            site = known.site(each.site, at)
            zone = site.time_zone if site else "UTC"
            found.append(ChosenStation(each.id, each.vendor or "", each.model or "", zone))
    if named:
        message = f"no such stations are declared: {', '.join(sorted(named.values()))}"
        raise DeployError(message)
    return found


def _hours(between: str | None) -> tuple[time, time] | None:
    if between is None:
        return None
    try:
        begins, ends = (time.fromisoformat(each.strip()) for each in between.split("-"))
    except ValueError as error:
        message = f"--between is two times of day, as 22:00-05:00, not {between!r}"
        raise DeployError(message) from error
    return begins, ends
