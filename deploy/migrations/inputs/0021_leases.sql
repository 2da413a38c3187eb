-- Who does what only one process may do, for how long yet (ledger/leases.py).

CREATE TABLE lease (
    name   text PRIMARY KEY,
    holder text NOT NULL,
    epoch  bigint NOT NULL CHECK (epoch > 0),
    until  timestamptz NOT NULL
);
COMMENT ON COLUMN lease.epoch IS
    'Raised each time the lease is taken; every transaction of its holder checks it.';
COMMENT ON COLUMN lease.until IS 'By this server''s clock, and no other.';
