-- What stations last said of themselves (ledger/worker/stored/station_states.py), for people: no
-- list of stations reads the log.

CREATE TABLE station_state (
    station_id  text PRIMARY KEY,
    vendor      text,
    model       text,
    serial      text,
    firmware    text,
    boot_reason text,
    booted_at   timestamptz NOT NULL
) WITH (fillfactor = 70);

-- Connector 0 of an EVSE is the EVSE, EVSE 0 the station. `told_at` is the station's time.
CREATE TABLE connector_state (
    station_id   text        NOT NULL,
    evse_id      integer     NOT NULL,
    connector_id integer     NOT NULL,
    status       text,
    error        text,
    problem      text,
    told_at      timestamptz,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (station_id, evse_id, connector_id)
) WITH (fillfactor = 70);

-- Of components that have one now; place 0 is the whole station.
CREATE TABLE station_problem (
    station_id   text        NOT NULL,
    component    text        NOT NULL,
    evse_id      integer     NOT NULL,
    connector_id integer     NOT NULL,
    code         text,
    told_at      timestamptz,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (station_id, component, evse_id, connector_id)
);

-- The last ones of each station, and where each stands in the log.
CREATE TABLE security_event (
    station_id  text        NOT NULL,
    partition   integer     NOT NULL,
    position    bigint      NOT NULL,
    line        integer     NOT NULL,
    event_type  text        NOT NULL,
    told_at     timestamptz,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (station_id, position, line)
);

-- How far stations said that they are with a firmware or their logs, the last ones of each; the request
-- is null where the station named none.
CREATE TABLE transfer_status (
    station_id  text        NOT NULL,
    partition   integer     NOT NULL,
    position    bigint      NOT NULL,
    line        integer     NOT NULL,
    kind        text        NOT NULL,
    request_id  integer,
    status      text        NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (station_id, position, line)
);

-- Sessions by when they began, the newest first: of all, of a station, of a token. As
-- projections/sessions.py orders them.
CREATE INDEX session_newest ON session ((coalesce(started_at, first_fact_at)) DESC, session_id);
CREATE INDEX session_newest_of_station
ON session (station_id, (coalesce(started_at, first_fact_at)) DESC, session_id);
CREATE INDEX session_newest_of_token
ON session (token_uid, (coalesce(started_at, first_fact_at)) DESC, session_id);
-- Of those in a state that few are in.
CREATE INDEX session_newest_of_state
ON session (state, (coalesce(started_at, first_fact_at)) DESC, session_id) WHERE state <> 'rated';
CREATE INDEX session_unfinished_of_station ON session (station_id)
WHERE state IN ('open', 'waiting');

-- Held for something that its station may still be asked for.
CREATE INDEX session_gap ON session (station_id)
WHERE state = 'held' AND flags && '{seq_gap,stop_lost}';
