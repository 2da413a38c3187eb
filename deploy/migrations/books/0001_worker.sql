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
    "window"        json,
    -- The price, taxes included, that its station was told last after its end.
    told_gross      numeric,
    -- Its start was answered that this token may not charge.
    is_refused      boolean     NOT NULL DEFAULT false
) WITH (fillfactor = 70);
CREATE INDEX session_station ON session (station_id, transaction_ref, facts_from);
CREATE INDEX session_begun ON session (station_id, started_at);
CREATE INDEX session_to_correct ON session ((coalesce(started_at, first_fact_at)) DESC, session_id)
    WHERE 'correction_waits' = ANY (flags);
CREATE INDEX session_disputed ON session ((coalesce(started_at, first_fact_at)) DESC, session_id)
    WHERE 'disputed' = ANY (flags);
-- Which ran over a month's end: small, and no update of a row is dearer for it.
CREATE INDEX session_ended ON session USING brin (ended_at) WITH (autosummarize = on);
CREATE INDEX session_unfinished ON session (partition) WHERE state IN ('open', 'waiting');
-- Both as in ledger/sessions/states.py; a test compares them.
CREATE VIEW unfinished_session AS SELECT * FROM session WHERE state IN ('open', 'waiting');
CREATE VIEW listed_session AS SELECT * FROM session WHERE state <> 'replaced';

-- How many sessions there are by state: counted as they move, for who asks every few seconds. Only
-- the partition's own worker writes its rows.
CREATE TABLE session_count (
    partition integer NOT NULL,
    state     text    NOT NULL,
    sessions  bigint  NOT NULL,
    PRIMARY KEY (partition, state)
) WITH (fillfactor = 50);
CREATE FUNCTION count_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO session_count
        SELECT partition, state, count(*) FROM added GROUP BY partition, state
        ON CONFLICT (partition, state)
        DO UPDATE SET sessions = session_count.sessions + excluded.sessions;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE session_count SET sessions = sessions - gone.number
        FROM (SELECT partition, state, count(*) AS number FROM removed GROUP BY partition, state)
            AS gone
        WHERE (session_count.partition, session_count.state) = (gone.partition, gone.state);
    ELSE
        INSERT INTO session_count
        SELECT partition, state, sum(number) FROM (
            SELECT partition, state, 1 AS number FROM added
            UNION ALL SELECT partition, state, -1 FROM removed
        ) AS moved GROUP BY partition, state HAVING sum(number) <> 0
        ON CONFLICT (partition, state)
        DO UPDATE SET sessions = session_count.sessions + excluded.sessions;
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER session_added AFTER INSERT ON session
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_sessions();
CREATE TRIGGER session_moved AFTER UPDATE ON session
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_sessions();
CREATE TRIGGER session_removed AFTER DELETE ON session
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_sessions();

-- Lines that say nothing we could use, by reason. They stay in the log.
CREATE TABLE set_aside (
    partition  integer NOT NULL,
    station_id text    NOT NULL,
    reason     text    NOT NULL,
    lines      bigint  NOT NULL,
    PRIMARY KEY (partition, station_id, reason)
);

-- Lines that raised, each left out at the record `set_aside_at`: its own, or a later one whose fold its
-- fact failed. A replay leaves out the same ones. `taken_at` is the record that took it again.
CREATE TABLE line_set_aside (
    partition    integer NOT NULL,
    position     bigint  NOT NULL,
    line         integer NOT NULL,
    station_id   text    NOT NULL, -- '' where the line names none
    set_aside_at bigint  NOT NULL,
    reason       text    NOT NULL CHECK (reason IN (
        'line_unreadable', 'not_translated', 'not_folded', 'not_taken', 'not_timed_out'
    )),
    why          text    NOT NULL,
    taken_at     bigint,
    PRIMARY KEY (partition, position, line, station_id, set_aside_at)
);
CREATE INDEX line_set_aside_open ON line_set_aside (partition) WHERE taken_at IS NULL;
