-- What the worker reads from the event log and concludes from it. Everything here can be thrown
-- away and made again by a replay; nothing here names its schema, so a replay makes it elsewhere.

-- The next record that the worker takes of each partition, and the number of the next decision
-- there: the guard of every transaction.
CREATE TABLE worker_position (
    partition        integer PRIMARY KEY,
    next_position    bigint  NOT NULL,
    declared_version bigint  NOT NULL,
    next_number      bigint  NOT NULL DEFAULT 1,
    -- When the last record was received that was taken and says a time.
    last_at          timestamptz,
    -- The last sequence taken of each producer, so that a repeat is dropped; the latest last.
    producers        text[]   NOT NULL DEFAULT '{}',
    sequences        bigint[] NOT NULL DEFAULT '{}'
);

-- Facts as the translators gave them (ledger/facts/stored.py), some of one transaction in one row.
CREATE TABLE fact (
    station_id     text        NOT NULL,
    transaction_ref text        NOT NULL,
    partition      integer     NOT NULL,
    position       bigint      NOT NULL,
    received_until timestamptz NOT NULL,
    facts          bytea       NOT NULL
);
ALTER TABLE fact ALTER COLUMN facts SET STORAGE EXTERNAL;
CREATE INDEX fact_transaction ON fact (station_id, transaction_ref, received_until);

-- The sessions as they stand. `heard_at` is when the station last said anything at all.
CREATE TABLE session (
    session_id      text        PRIMARY KEY,
    partition       integer     NOT NULL,
    station_id      text        NOT NULL,
    transaction_ref text        NOT NULL,
    state           text        NOT NULL CHECK (state IN (
        'open', 'waiting', 'rated', 'held', 'released', 'written_off', 'replaced'
    )),
    -- Of the last final decision, or of the first one that is still to come.
    revision        integer     NOT NULL DEFAULT 1,
    flags           text[]      NOT NULL,
    blockers        text[]      NOT NULL,
    reasons         text[]      NOT NULL,
    evse_id         integer,
    connector_id    integer,
    token_uid       text,
    started_at      timestamptz,
    ended_at        timestamptz,
    stop_reason     text,
    energy_wh       numeric,
    meter_start_wh  numeric,
    meter_stop_wh   numeric,
    register_wh     numeric,
    first_fact_at   timestamptz NOT NULL,
    last_fact_at    timestamptz NOT NULL,
    heard_at        timestamptz NOT NULL,
    -- Codes that somebody showed for it: a voucher, a hotel stay.
    validations     text[]      NOT NULL DEFAULT '{}',
    -- Facts of its reference dated before are an earlier session's. Null: it is the first one.
    facts_from      timestamptz,
    -- Where it lies in its station's history by its own frames (ledger/sessions/loose_frames.py).
    -- Null: as the other columns say, or it has no start.
    "window"        json
) WITH (fillfactor = 70);
CREATE INDEX session_station ON session (station_id, transaction_ref, facts_from);
CREATE INDEX session_begun ON session (station_id, started_at);
CREATE INDEX session_unfinished ON session (partition) WHERE state IN ('open', 'waiting');
-- Both as in ledger/sessions/states.py; a test compares them.
CREATE VIEW unfinished_session AS SELECT * FROM session WHERE state IN ('open', 'waiting');
CREATE VIEW listed_session AS SELECT * FROM session WHERE state <> 'replaced';

-- Lines that say nothing we could use, by reason. They stay in the log.
CREATE TABLE set_aside (
    partition  integer NOT NULL,
    station_id text    NOT NULL,
    reason     text    NOT NULL,
    lines      bigint  NOT NULL,
    PRIMARY KEY (partition, station_id, reason)
);
