-- Calls of ours to stations (ingest/commands). What was sent and answered stands in the log; a row says
-- how far it is, for whoever waits. A replay leaves them alone.

CREATE TABLE station_command (
    id         uuid PRIMARY KEY,
    station_id text        NOT NULL,
    action     text        NOT NULL,
    -- The subprotocol that the call was checked for; null until its station connects.
    protocol   text,
    -- The call as a line of the log, persons sealed; once answered, with the answer.
    frame      bytea       NOT NULL,
    asked_by   text        NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline   timestamptz NOT NULL,
    state      text        NOT NULL DEFAULT 'queued' CHECK (
        state IN ('queued', 'sent', 'answered', 'error', 'timed_out', 'unknown')
    ),
    -- The connection that it was sent on.
    epoch      bigint,
    sent_at    timestamptz,
    ended_at   timestamptz,
    CHECK ((state = 'queued') = (epoch IS NULL) OR state = 'timed_out')
);
CREATE INDEX station_command_waiting ON station_command (station_id, asked_at, id)
WHERE state IN ('queued', 'sent');
CREATE INDEX station_command_latest ON station_command (station_id, asked_at DESC, id);
