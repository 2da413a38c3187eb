-- A credit that came before the CDR that it names waits for it, and is judged again when it comes
-- (roaming_ocpi/incoming/batch.py): `waits_for` is that CDR's folded id.
ALTER TABLE partner_cdr ADD COLUMN waits_for text CHECK (waits_for IS NULL OR kind = 'credit');
CREATE INDEX partner_cdr_waiting ON partner_cdr (party, waits_for) WHERE waits_for IS NOT NULL;

-- Those of before, unless what they name has come since: a person decides about these.
UPDATE partner_cdr AS credit SET waits_for = lower(found.named)
FROM (
    SELECT party, cdr_key, jsonb_path_query_first(
        codes, '$[*] ? (@.code == "cdr_credit_without_original").parameters.credits'
    ) #>> '{}' AS named
    FROM partner_cdr WHERE kind = 'credit' AND credits IS NULL
) AS found
WHERE (credit.party, credit.cdr_key) = (found.party, found.cdr_key) AND NOT EXISTS (
    SELECT FROM partner_cdr AS original
    WHERE original.party = found.party AND original.cdr_key = lower(found.named)
);
