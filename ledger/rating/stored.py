"""Decisions as the table `session_decision` keeps them: canonical JSON, zstd-compressed.

A decision looks like any other, but for its figures: a body of 1,330 bytes takes about 300. It is
hashed, compared and shown as the JSON that it is; how it is packed is in no document.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ledger.packing import Packing
from ledger.rating.decisions import Decision, RatedTotal, decode_decision

_LOOK: Final = (
    b'{"decision":"written_off","session_id":"CS-1/1/20260302T070000Z","revision":1,"station_id":'
    b'"CS-1","moment":{"partition":0,"position":1,"at":"2026-03-02T07:00:01.123456Z"},'
    b'"declared_version":1,"flags":["stop_lost"],"energy_wh":"1000","by":"","reason":""}'
    b'{"decision":"held","session_id":"CS-1/1/20260302T070000Z","revision":1,"station_id":"CS-1",'
    b'"moment":{"partition":0,"position":1,"at":"2026-03-02T07:00:01.123456Z"},"declared_version":'
    b'1,"flags":["seq_gap","clock_unsynced","token_missing"],"started_at":"2026-03-02T07:00:00Z",'
    b'"energy_wh":"1000","reasons":[{"code":"stop_lost","with":{"shown_by":"next_session"}},'
    b'{"code":"token_unknown"}],"tzdata_version":"2026.1","offsets":[["Europe/Berlin",'
    b'[[null,3600]]]]}"validations":[],"allowances":[{"key":"","period":"2026-03","number":1,'
    b'"used_before":{"energy_wh":"0","seconds":"0","amount_minor":0,"uses":0},"used":{"energy_wh":'
    b'"0","seconds":"0","amount_minor":0,"uses":0}}],"payment_method":"AD_HOC_AUTHORIZATION",'
    b'"reverse_charge_vat_id":"DE","release":{"by":"","reason":""}},"notes":[],'
    b'"payer":{"kind":"partner","party":"DE*ABC","customer":null,"invoicing":null,"contract":""},'
    b'"payer":{"kind":"bearer","party":"p-","customer":null,"invoicing":"per_session"},'
    b'"evse_id":1,"connector_id":null,"token_uid":null,'
    b'{"line":3,"component":"FLAT/0/priced","dimension":"FLAT","element":0,"reasons":'
    b'{"line":2,"component":"PARKING_TIME/0/priced","dimension":"PARKING_TIME","element":1,'
    b'"element_name":"","reasons":[{"code":"priced"}],"starts_at":'
    b'{"line":2,"component":"TIME/0/priced","dimension":"TIME","element":0,'
    b'{"decision":"rated","session_id":"CS-1/1/20260302T070000Z","revision":1,"station_id":"CS-1",'
    b'"moment":{"partition":0,"position":1,"at":"2026-03-02T07:10:31.123456Z"},'
    b'"declared_version":1,"flags":[],"site_id":"","legal_entity":"","country":"DE","time_zone":'
    b'"Europe/Berlin","evse_id":1,"connector_id":1,"token_uid":"p-","payer":{"kind":"customer",'
    b'"party":"p-","customer":"p-","invoicing":"per_month"},"started_at":"2026-03-02T07:00:00Z",'
    b'"ended_at":"2026-03-02T07:10:30Z","billing_month":"2026-03","meter_start_wh":"1000",'
    b'"meter_stop_wh":"2000","energy_wh":"1000.0","billed_wh":"1000.0","free_wh":"0","tariff_id":'
    b'"","tariff_hash":"","assignment":"site=","kernel_version":"1","policy":"wattledger",'
    b'"policy_version":"1","tzdata_version":"2026.1","offsets":[["Europe/Berlin",[[null,3600]]]],'
    b'"currency":"EUR","lines":[{"line":1,"component":"ENERGY/0/priced","dimension":"ENERGY",'
    b'"element":0,"element_name":"","reasons":[{"code":"priced"}],"starts_at":'
    b'"2026-03-02T07:00:00Z","ends_at":"2026-03-02T07:10:30Z","volume":"1.0","billed_volume":'
    b'"1.0","unit_price":"0.49","net":"0.49","tax":"0.0931","tax_percent":"19","net_minor":49,'
    b'"tax_minor":9}],"net_minor":49,"tax_minor":9}'
)
PACKING: Final = Packing(_LOOK)
"""Packs and unpacks what `encode_decision` encodes."""
_TOTALS: Final = msgspec.json.Decoder(RatedTotal)


def unpack_decision(packed: bytes) -> Decision:
    """Return the decision whose body was packed."""
    return decode_decision(PACKING.unpack(packed))


def unpack_total(packed: bytes) -> RatedTotal:
    """Return what the rated decision whose body was packed comes to.

    Raises:
        msgspec.ValidationError: If it is no rated one.
    """
    return _TOTALS.decode(PACKING.unpack(packed))
