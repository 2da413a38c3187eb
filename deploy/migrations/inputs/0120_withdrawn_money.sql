-- A proposal of what money was for is taken back as any other: of a bank's line, or of a movement.
ALTER TABLE withdrawn_proposal
    ADD COLUMN line     text REFERENCES bank_line,
    ADD COLUMN movement bigint REFERENCES movement,
    DROP CONSTRAINT withdrawn_proposal_check,
    ADD CONSTRAINT withdrawn_proposal_about
        CHECK (num_nonnulls(session_id, invoice, line, movement) = 1);
CREATE INDEX withdrawn_proposal_line ON withdrawn_proposal (line, number)
    WHERE line IS NOT NULL;
CREATE INDEX withdrawn_proposal_movement ON withdrawn_proposal (movement, number)
    WHERE movement IS NOT NULL;
