-- What one person wants to give back of a prepaid balance to its card, above what one may alone:
-- until another agrees. `key` is that of the request that it becomes.
CREATE TABLE pay_back_proposal (
    key          text        PRIMARY KEY,
    currency     text        NOT NULL,
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    proposed_by  text        NOT NULL,
    proposed_at  timestamptz NOT NULL
);
