-- What one person wants decided about a session, above what one may alone: until another agrees.
CREATE TABLE choice_proposal (
    session_id   text        PRIMARY KEY,
    choice       text        NOT NULL,
    -- The session as it was looked at.
    revision     integer     NOT NULL,
    -- Of its rating; none: all of it.
    lines        integer[]   NOT NULL,
    currency     text        NOT NULL,
    moved_minor  bigint      NOT NULL,
    reason       text        NOT NULL,
    proposed_by  text        NOT NULL,
    proposed_at  timestamptz NOT NULL
);
CREATE INDEX choice_proposal_proposed ON choice_proposal (proposed_at);

-- What its customers were reminded of, the newest first.
CREATE INDEX reminder_customer ON reminder (customer, decided_at) WHERE customer IS NOT NULL;
