"""A relay that is killed anywhere loses nothing, doubles nothing and mixes no session up."""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import suppress

from tests.roaming_ocpi.relay.taking_partner import (
    TakingPartner,
    asked,
    link_of,
    put,
    relaying,
    taking,
    until,
    until_empty,
)
from tests.tree import ROOT

TNM = "NL-TNM"
LANES = 250
KILLS = 6


async def test_a_relay_that_is_killed_again_and_again_sends_all_in_order(database: str) -> None:
    chance = random.Random(41)
    for lane in range(LANES):
        put(
            database, TNM, f"s:L{lane}", f"c{lane}-1", f"x:c{lane}-2", f"c{lane}-3", lane=f"L{lane}"
        )

    async with taking(TakingPartner()) as partner:
        for _ in range(KILLS):
            await relayed_and_killed(database, partner, chance.uniform(0.02, 0.15))
        killed_after = len(partner.order)
        async with relaying(database, {TNM: link_of(TNM, partner.url)}):
            await until_empty(database)

    assert 0 < killed_after < 4 * LANES, "the kills were to be in the middle"
    cdrs = {each: count for each, count in partner.effects.items() if each.startswith("c")}
    assert len(cdrs) == 3 * LANES
    assert set(cdrs.values()) == {1}
    for lane in range(LANES):
        names = {f"L{lane}", f"c{lane}-1", f"c{lane}-2", f"c{lane}-3"}
        first = list(dict.fromkeys(each for each in partner.order if each in names))
        assert first == sorted(names), "update, CDR, credit, replacement"
    assert all(len(set(bodies)) == 1 for bodies in partner.bodies.values())
    numbers = asked(
        database,
        "SELECT DISTINCT number FROM outgoing_attempt WHERE came_of_it = 'delivered' ORDER BY 1",
    )
    assert numbers == [(number,) for number in range(1, 4 * LANES + 1)]


async def relayed_and_killed(dsn: str, partner: TakingPartner, seconds: float) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.roaming_ocpi.relay.relay_to_kill",
        dsn,
        partner.url,
        TNM,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        if not partner.order:
            await until(lambda: bool(partner.order))
        await asyncio.sleep(seconds)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
