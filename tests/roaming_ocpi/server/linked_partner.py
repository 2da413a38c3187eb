"""A partner that is declared and registered, over a database: what it may do, it may at once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import msgspec

from ledger.database import connect, connect_async
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from roaming_ocpi.registration.store import Agreed, conclude, new_token, promise
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion

OURS, THEIRS = "DE-HBC", "NL-TNM"
_DECLARE = """
INSERT INTO declaration (kind, key, valid_from, body, declared_at, declared_by)
VALUES (%s, %s, %s, %s, %s, 'ann')
"""


async def linked_partner(
    database: str,
    *,
    party: str = THEIRS,
    version: OcpiVersion = OcpiVersion.V2_2_1,
    versions_url: str = "http://127.0.0.1:9/versions",
) -> str:
    """Declare *party* and do as if the handshake with it had been done; return its token's text.

    It is spelt as the header has it in *version*.
    """
    since = datetime.now(UTC) - timedelta(days=400)
    us = LegalEntity(
        name="Harbour", country="DE", time_zone="Europe/Berlin", invoice_prefix="H", party=OURS
    )
    roles = (PartnerRole.CPO, PartnerRole.EMSP)
    partner = Partner(name="The Northern", legal_entity="harbour", roles=roles)
    with connect(database) as connection:
        for kind, key, value in (("legal_entity", "harbour", us), ("partner", party, partner)):
            body = msgspec.json.encode(value).decode()
            connection.execute(_DECLARE, (kind, key, since, body, since))
    token = new_token()
    endpoints = {(ModuleId.TOKENS, InterfaceRole.SENDER): f"{versions_url}/tokens"}
    agreed = Agreed(OURS, version, versions_url, endpoints, (party,), "their-token-for-us")
    async with await connect_async(database) as connection_:
        await promise(connection_, party, token, ends=0, at=since, by="ann")
        await conclude(connection_, party, agreed, ends=0, at=since, by="ann", is_anew=True)
    if version is OcpiVersion.V2_1_1:
        return token
    return base64.b64encode(token.encode()).decode()
