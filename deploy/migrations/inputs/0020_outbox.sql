-- What must appear in the event log because of a row here is written in the transaction of that row,
-- and carried to the log afterwards (ledger/log/outbox.py). A replay throws nothing of it away.

CREATE TABLE outbox (
    sequence  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition integer NOT NULL CHECK (partition >= 0),
    line      bytea NOT NULL, -- empty once carried: what was said stands in the log alone
    position  bigint
);
COMMENT ON COLUMN outbox.sequence IS
    'Ascending in the order of commits: the record''s number in the log, never given again.';
COMMENT ON COLUMN outbox.position IS
    'Where the record stands in the log, null until it is known to stand there. Only the newest of '
    'those carried are kept.';
CREATE INDEX outbox_waiting ON outbox (sequence) WHERE position IS NULL;
