-- A customer's documents, the newest first; a month's entries in the order in which pages tell them.
CREATE INDEX issued_invoice_customer ON issued_invoice (customer, issued_on, number)
WHERE customer IS NOT NULL;
CREATE INDEX issued_invoice_credit_notes ON issued_invoice (issued_on, number)
WHERE credits IS NOT NULL;
DROP INDEX journal_entry_period;
CREATE INDEX journal_entry_period ON journal_entry (legal_entity, period, booked_at);
