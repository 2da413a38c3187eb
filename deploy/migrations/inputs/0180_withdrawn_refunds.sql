-- A proposal to give back is taken back as any other: of what was paid too much for an invoice, or
-- of a prepaid balance (`pay_back` is the key of the request that it would have become).
ALTER TABLE withdrawn_proposal
    ADD COLUMN refund   text,
    ADD COLUMN pay_back text,
    DROP CONSTRAINT withdrawn_proposal_about,
    ADD CONSTRAINT withdrawn_proposal_about
        CHECK (num_nonnulls(session_id, invoice, line, movement, refund, pay_back) = 1);
CREATE INDEX withdrawn_proposal_refund ON withdrawn_proposal (refund, number)
    WHERE refund IS NOT NULL;
CREATE INDEX withdrawn_proposal_pay_back ON withdrawn_proposal (pay_back, number)
    WHERE pay_back IS NOT NULL;
