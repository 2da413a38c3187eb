-- What one person proposed and somebody took back before another agreed: who, when and why; ''
-- where they proposed something else in its place.
CREATE TABLE withdrawn_proposal (
    number            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- What it was about: one of the two.
    session_id        text,
    invoice           text,
    choice            text        NOT NULL,
    currency          text        NOT NULL,
    moved_minor       bigint      NOT NULL,
    reason            text        NOT NULL,
    proposed_by       text        NOT NULL,
    proposed_at       timestamptz NOT NULL,
    withdrawn_by      text        NOT NULL,
    withdrawn_at      timestamptz NOT NULL,
    withdrawn_because text        NOT NULL,
    CHECK (num_nonnulls(session_id, invoice) = 1)
);
CREATE INDEX withdrawn_proposal_session ON withdrawn_proposal (session_id, number)
    WHERE session_id IS NOT NULL;
CREATE INDEX withdrawn_proposal_invoice ON withdrawn_proposal (invoice, number)
    WHERE invoice IS NOT NULL;
CREATE TRIGGER withdrawn_proposal_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON withdrawn_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
