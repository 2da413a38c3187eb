-- By whom what waits for its invoice is owed: NULL: by the customer whom it is for, else by the
-- partner whose tokens that one pays for. A document is owed by one (ledger/invoices/due.py).
ALTER TABLE uninvoiced_session ADD COLUMN partner text;
UPDATE uninvoiced_session AS waiting SET partner = parties[1]
FROM journal_entry
WHERE entry_id = concat(
    'rated:', waiting.session_id, CASE WHEN waiting.revision > 1 THEN '/' || waiting.revision END
) AND accounts[1] = 'receivable:partner:unbilled';

DROP INDEX uninvoiced_session_threshold;
CREATE INDEX uninvoiced_session_threshold ON uninvoiced_session (legal_entity, customer, currency)
    INCLUDE (gross_minor, decided_at, partner) WHERE invoicing = 'on_threshold';
