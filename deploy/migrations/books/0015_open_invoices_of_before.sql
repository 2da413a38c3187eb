-- The invoices that were open before anybody kept which are; what made them due is not told here.
INSERT INTO open_invoice (number, legal_entity, customer, party, account, currency, issued_on, due_on,
    open_minor)
SELECT standing.number, legal_entity, customer, coalesce(owed.party, ''),
    coalesce(owed.account, 'receivable:invoiced'), currency, issued_on,
    coalesce(due_on, issued_on), open_minor
FROM (
    SELECT invoice.*, due_minor
        - coalesce((SELECT sum(note.due_minor) FROM issued_invoice AS note
                    WHERE note.credits = invoice.number), 0)
        - coalesce((SELECT sum(amounts[1]) FROM journal_entry WHERE entry_id IN (
            SELECT 'settled:' || invoice.number
            UNION ALL SELECT 'settled:' || note.number FROM issued_invoice AS note
            WHERE note.credits = invoice.number)), 0)
        - coalesce((SELECT sum(minor) FROM allotment
                    WHERE document = invoice.number AND document <> ''
                    AND account IN ('receivable:invoiced', 'receivable:partner:invoiced')
                    ), 0) AS open_minor
    FROM issued_invoice AS invoice WHERE credits IS NULL
) AS standing
LEFT JOIN LATERAL (
    SELECT accounts[place] AS account, parties[place] AS party
    FROM journal_entry, generate_subscripts(accounts, 1) AS place
    WHERE entry_id = 'invoice:' || standing.number AND accounts[place] IN
        ('receivable:invoiced', 'receivable:partner:invoiced')
    ORDER BY place LIMIT 1
) AS owed ON true
WHERE open_minor <> 0
ON CONFLICT (number) DO NOTHING;
