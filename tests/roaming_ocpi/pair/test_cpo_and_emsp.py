"""Our CPO and our eMSP: whatever is away, killed or late, both come to the same money and kWh."""

from __future__ import annotations

import asyncio
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.cli import run
from deploy.settings import NAMES
from roaming_ocpi.wire.ids import wire_cdr_id, wire_session_id
from roaming_ocpi.wire.modules import ModuleId
from tests.charging_day import (
    choose,
    everywhere,
    meter16,
    start16,
    stop16,
    tick,
)
from tests.projections.books_of_a_day import go_on
from tests.roaming_ocpi.pair.two_instances import (
    CPO,
    Pair,
    RoamingInstance,
    Totals,
    audited_lists,
    declare_cpo,
    heard_lines,
    net_of,
    pulled,
    registered_pair,
    rows,
    settled_month,
    taken_cdrs,
    told_sessions,
)
from tests.roaming_ocpi.relay.taking_partner import until
from tests.roaming_ocpi.sessions.partners_drivers import PARTNERS_TOKEN, TNM

ONE, TWO = "CS-OLD-1", "CS-OLD-2"
PLAIN = "CS-OLD-1/7/20260302T070000Z"
LOST = "CS-OLD-2/9/20260302T081000Z"
WAIT_SECONDS = 60


async def typed(monkeypatch: pytest.MonkeyPatch, side: RoamingInstance, *words: str) -> int:
    """Type a command about a partner at one side, and return its exit code."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", side.dsn)
    monkeypatch.setenv("WATTLEDGER_DATA", str(side.data / "typed"))
    monkeypatch.setenv("WATTLEDGER_ROAMING_PRIVATE_NETWORKS", "true")
    return await asyncio.to_thread(run, ["partner", *words])


async def settled(pair: Pair, *, cdrs: int, credits_: int) -> None:
    """Wait until the eMSP has so many CDRs and credits."""
    async with asyncio.timeout(WAIT_SECONDS):
        await until(lambda: pair.taken()[:2] == (cdrs, credits_), seconds=WAIT_SECONDS)


async def audited_and_settled(
    monkeypatch: pytest.MonkeyPatch, pair: Pair, versions: tuple[str, ...], cdrs: set[str]
) -> None:
    """Let the eMSP compare its CDRs with the CPO's list, and the CPO settle March.

    The running relay tells which CDRs that is about: from OCPI 2.3.0 on there is a place for it.
    """
    period = ("--from", "2026-03-01", "--to", "2026-04-01")
    assert await typed(monkeypatch, pair.emsp, "audit", CPO, *period, "--pull") == 0
    for act in ("--propose", "--agree"):
        words = ("--month", "2026-03", act, "--by", "anna")
        assert await typed(monkeypatch, pair.cpo, "settle", TNM, *words) == 0
    await until(lambda: bool(rows(pair.cpo.dsn, RECORD_SENT)), WAIT_SECONDS)

    can_say = versions == ("2.3.0",)
    came = "delivered" if can_say else "nowhere"
    assert rows(pair.cpo.dsn, RECORD_SENT) == [(came,)]
    told_of = [(owner, set(named)) for owner, named in rows(pair.emsp.dsn, RECORDS)]
    assert told_of == ([(CPO, cdrs)] if can_say else [])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("versions", [("2.2.1",), ("2.3.0",)])
async def test_sessions_cdrs_and_credits_reach_the_emsp_through_kills_and_outages(
    database: str,
    other_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    versions: tuple[str, ...],
) -> None:
    version = declare_cpo(database)
    go_on(database, list(everywhere(version, -1)))
    async with registered_pair(
        database, other_database, tmp_path, versions=versions, skew_s=-420
    ) as pair:
        # Two drivers begin; the eMSP is told while they charge.
        begun = [start16(ONE, 0, 7, PARTNERS_TOKEN, 0), start16(TWO, 70, 9, PARTNERS_TOKEN, 0)]
        more = [meter16(ONE, 30, 7, 2_000), meter16(TWO, 95, 9, 4_000)]
        await asyncio.to_thread(go_on, database, [*begun, *more])
        await until(lambda: len(told_sessions(other_database)) == 2, WAIT_SECONDS)
        statuses = {each["status"] for each in told_sessions(other_database)}
        assert statuses == {"ACTIVE"}

        # The CPO's process is killed; one session ends meanwhile, the other loses its stop.
        await pair.cpo.end(signal.SIGKILL)
        await asyncio.to_thread(
            go_on, database, [stop16(ONE, 60, 7, 5_000), *tick(2000), *everywhere(version, 2001)]
        )
        await pair.cpo.start()
        await settled(pair, cdrs=1, credits_=0)

        # The eMSP is away while a person releases the other as far as it is known.
        await pair.emsp.end(signal.SIGKILL)
        await asyncio.to_thread(go_on, database, [choose(LOST, "release", 2002)])
        await until(lambda: failures(database), WAIT_SECONDS)
        await pair.emsp.start()
        await settled(pair, cdrs=2, credits_=0)

        # Its stop comes late after all: credit and replacement.
        await asyncio.to_thread(go_on, database, [stop16(TWO, 150, 9, 9_000, received=2100)])
        await settled(pair, cdrs=3, credits_=1)
        await until(lambda: len(rows(other_database, JUDGED)) == 4, WAIT_SECONDS)
        listed = await pulled(pair, ModuleId.CDRS)
        running = await pulled(pair, ModuleId.SESSIONS)
        await audited_and_settled(monkeypatch, pair, versions, {each["id"] for each in listed})

    kinds = ("cdr", "cdr", "credit", "cdr")
    assert rows(other_database, JUDGED) == [(kind, "accepted", []) for kind in kinds]
    heard = heard_lines(other_database)
    pushed = {each["id"]: each for what, each in heard if what.startswith("cdrs")}
    assert {each["id"]: each for each in listed} == pushed
    shown = {each["id"]: each for what, each in heard if what.startswith("sessions")}
    assert {each["id"]: each for each in running} == shown, "the last that was told of each"
    assert pair.sent() == pair.taken() == Totals(3, 1, pair.sent().net, pair.sent().energy_kwh)
    assert pair.sent().energy_kwh == 14
    told = [each["id"] for each in taken_cdrs(other_database)]
    assert len(set(told)) == len(told)
    of_lost = [wire_cdr_id(LOST, revision, kind) for revision, kind in ORDER]
    assert [each for each in told if each in of_lost] == of_lost
    sessions = {each["id"]: each["status"] for each in told_sessions(other_database)}
    assert sessions == {wire_session_id(each): "COMPLETED" for each in (PLAIN, LOST)}
    uids = {each["cdr_token"]["uid"] for _, each in heard}
    assert uids == {PARTNERS_TOKEN}
    assert_both_settle_the_same(pair, tmp_path)


@pytest.mark.timeout(300)
async def test_with_a_partner_of_2_1_1_corrections_stand_on_the_statement(
    database: str, other_database: str, tmp_path: Path
) -> None:
    version = declare_cpo(database)
    go_on(database, list(everywhere(version, -1)))
    async with registered_pair(database, other_database, tmp_path, versions=("2.1.1",)) as pair:
        begun = [start16(TWO, 70, 9, PARTNERS_TOKEN, 0), meter16(TWO, 95, 9, 4_000)]
        lost = [*begun, *tick(2000), *everywhere(version, 2001), choose(LOST, "release", 2002)]
        await asyncio.to_thread(go_on, database, lost)
        await settled(pair, cdrs=1, credits_=0)
        await asyncio.to_thread(go_on, database, [stop16(TWO, 150, 9, 9_000, received=2100)])
        await until(lambda: rows(database, WITHHELD) == [(2,)], WAIT_SECONDS)

    [(only, net)] = [(each["id"], net_of(each)) for each in taken_cdrs(other_database)]
    assert only == wire_cdr_id(LOST, 1, "cdr")
    assert net == Decimal("1.6")
    assert pair.sent()[:2] == (2, 1)


def assert_both_settle_the_same(pair: Pair, folder: Path) -> None:
    """To the cent and the Wh, by the same CDRs, and again by the lists that each side writes."""
    audits = audited_lists(pair, folder)
    assert [each.is_equal for each in audits] == [True, True]
    assert {each.our_count for report in audits for each in report.sums} == {4}
    sides = settled_month(pair)
    ours, theirs = sides[CPO], sides[TNM]
    assert ours.due_minor == -theirs.due_minor > 0
    assert ours.due_minor == pair.sent().net * 100
    assert (ours.excluded, theirs.excluded) == (0, 0)
    assert ours.cdrs.digest == theirs.cdrs.digest
    same = [(each.cdrs.count, each.cdrs.net_minor, each.cdrs.energy_wh) for each in (ours, theirs)]
    assert same == [(4, ours.due_minor, Decimal(14_000))] * 2


JUDGED = "SELECT kind, verdict, codes FROM partner_cdr ORDER BY position, line"
RECORD_SENT = "SELECT came_of_it FROM outgoing_attempt WHERE kind = 'invoice'"
RECORDS = "SELECT owner, cdrs FROM invoice_record"
WITHHELD = "SELECT count(*) FROM outgoing_attempt WHERE came_of_it = 'withheld'"
ORDER = ((1, "cdr"), (2, "credit"), (2, "cdr"))


def failures(dsn: str) -> bool:
    found = rows(dsn, "SELECT failures FROM outgoing_party WHERE party = 'NL-TNM'")
    return bool(found) and found[0][0] > 0
