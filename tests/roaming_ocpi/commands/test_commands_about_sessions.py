"""Whose session it is was said when it began, whoever tells of its token since."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.database import connect
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from roaming_ocpi.wire.ids import evse_uid, location_id, wire_session_id
from tests.roaming_ocpi.commands.commanded import UID, Commanding, commanding, heard
from tests.roaming_ocpi.tokens.two_sides import DECLARED_AT, OTHER

HERE = {"location_id": location_id("harbour"), "evse_uid": evse_uid("CP1", 1)}
BESIDE = HERE | {"evse_uid": evse_uid("CP1", 2)}
OF_OTHER = {"country_code": "BE", "party_id": "ABC", "contract_id": "BE-ABC-C1"}
TOLD = """
INSERT INTO roaming_session (party, session_id, ocpi_id, status, last_updated, body)
VALUES ('NL-TNM', %s, %s, 'ACTIVE', now(), '{}')
"""


def begin(ours: Commanding) -> dict[str, str]:
    """Let a session of TNM's driver run, and TNM be told of it; return how it names that."""
    ours.session()
    name = wire_session_id("CP1/7/x")
    with connect(ours.database) as connection:
        connection.execute(TOLD, ("CP1/7/x", name))
    return {"session_id": name}


async def test_a_token_that_another_party_has_by_now_gives_it_no_session(database: str) -> None:
    async with commanding(database) as ours:
        session = begin(ours)
        later = DECLARED_AT + timedelta(hours=1)
        with connect(database) as connection:
            blocked = PartnerToken(UID, "C1", False, Whitelist.ALWAYS)
            add_partner_tokens(connection, "NL-TNM", [blocked], at=later)
            same = PartnerToken(UID, "C9", True, Whitelist.ALWAYS)
            add_partner_tokens(connection, "BE-ABC", [same], at=later)
        plug = HERE | {"connector_id": "1"}
        others = [
            await ours.command("STOP_SESSION", session, token=OTHER),
            await ours.command("UNLOCK_CONNECTOR", plug, token=OTHER),
        ]
        theirs = [
            await ours.command("STOP_SESSION", session),
            await ours.command("UNLOCK_CONNECTOR", plug),
        ]
        await ours.told(2)

    assert [each["result"] for each in others] == ["UNKNOWN_SESSION", "REJECTED"]
    assert [each["result"] for each in theirs] == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("where", [HERE, BESIDE])
async def test_who_commands_a_start_with_anothers_card_has_no_say_about_its_session(
    database: str, where: dict[str, str]
) -> None:
    """A card's number is no secret: it stands on cards, and every station is shown it."""
    async with commanding(database) as ours:
        session = begin(ours)
        token = ours.token(**OF_OTHER)
        await ours.command("START_SESSION", where | {"token": token}, token=OTHER)
        plug = HERE | {"connector_id": "1"}
        answers = [
            await ours.command("UNLOCK_CONNECTOR", plug, token=OTHER),
            await ours.command("STOP_SESSION", session, token=OTHER),
        ]

    assert [each["result"] for each in answers] == ["REJECTED", "UNKNOWN_SESSION"]
    assert "UnlockConnector" not in [action for action, _ in heard(database)]
