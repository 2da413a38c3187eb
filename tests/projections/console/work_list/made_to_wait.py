"""What makes one of each kind wait at the harbour of the demo, as statements of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_SESSION = "SELECT min(session_id) FROM session WHERE station_id LIKE 'HB-%' AND state = 'rated'"
_NUMBER = "SELECT min(number) FROM issued_invoice WHERE number LIKE 'HC-2026-%'"
_LAST_NUMBER = "SELECT max(number) FROM issued_invoice WHERE number LIKE 'HC-2026-%'"
_MOVED = """
INSERT INTO movement (kind, source, reference, legal_entity, currency, amount_minor, happened_at,
    recorded_by, original_period, period)
VALUES ('received', 'stripe', 'pi_9', 'harbour-charging', 'EUR', 900, '2026-04-01', 'test',
    '2026-04', '2026-04');
INSERT INTO allotment (number, place, account, minor)
SELECT max(number), 1, 'cash:unmatched', 900 FROM movement
"""
_OVERDUE = f"""
INSERT INTO open_invoice
SELECT number, legal_entity, customer, '', 'receivable:invoiced', currency, issued_on, '2026-04-01',
    1234
FROM issued_invoice WHERE number = ({_NUMBER})
"""
_UNBALANCED = """
UPDATE booked_sum SET debit_minor = debit_minor + 3 WHERE ctid = (
    SELECT ctid FROM booked_sum
    WHERE legal_entity = 'harbour-charging' AND span IN ('month', 'added') LIMIT 1)
"""
_ASIDE = """
INSERT INTO line_set_aside (partition, position, line, station_id, set_aside_at, reason, why)
VALUES (0, 17, 0, 'HB-01', 18, 'not_translated', '<b>odd</b>')
"""
_REFUSED = """
INSERT INTO refused_document VALUES (
    'month:2026-03:EUR:harbour-charging:p-00000000000000000000000000000040',
    'no <i>address</i>', '2026-04-01', 1)
"""
_GAP = f"""
ALTER TABLE issued_invoice DISABLE TRIGGER ALL;
UPDATE issued_invoice SET place = place + 5000 WHERE number = ({_LAST_NUMBER})
"""
_ENERGY = """
UPDATE energy_day SET metered_wh = metered_wh + 7
WHERE (station_id, day) = ('HB-01', '2026-03-02');
UPDATE energy_total SET days_off = 1 WHERE station_id = 'HB-01'
"""
_BANK = """
INSERT INTO unmatched_line
SELECT line, 42, 'too_much', booked_on FROM bank_line
WHERE legal_entity = 'harbour-charging' ORDER BY line LIMIT 1
"""

MADE_TO_WAIT: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "gaps": (
            (
                "UPDATE session SET state = 'held', flags = '{seq_gap}'"
                f" WHERE session_id = ({_SESSION})"
            ),
            _SESSION,
        ),
        "late": (
            (
                "UPDATE session SET flags = flags || '{correction_waits}'"
                f" WHERE session_id = ({_SESSION})"
            ),
            _SESSION,
        ),
        "contested": (
            f"UPDATE session SET flags = flags || '{{disputed}}' WHERE session_id = ({_SESSION})",
            _SESSION,
        ),
        "set_aside": (_ASIDE, "SELECT '0/17/0'"),
        "refused": (_REFUSED, "SELECT 'month:2026-03:EUR:harbour-charging:femke-groot'"),
        "numbers": (_GAP, _LAST_NUMBER),
        "energy": (_ENERGY, "SELECT '2026-03-02 HB-01'"),
        "unbalanced": (_UNBALANCED, "SELECT 'harbour-charging EUR'"),
        "unmatched": (
            _BANK,
            "SELECT min(line) FROM bank_line WHERE legal_entity = 'harbour-charging'",
        ),
        "unexplained": (_MOVED, "SELECT max(number)::text FROM movement"),
        "disputes": (
            "UPDATE dispute SET status = 'open', legal_entity = 'harbour-charging'",
            "SELECT dispute_id FROM dispute",
        ),
        "overdue": (_OVERDUE, _NUMBER),
        "second": (
            f"INSERT INTO refund_proposal SELECT ({_NUMBER}), 500, 'mara', '2026-04-01'",
            _NUMBER,
        ),
    }
)
"""By kind: what makes one wait, and which query finds how its row names it."""
