-- The newest connection of a station, and which process has it (a number drawn at its start).
ALTER TABLE connection_epoch
    ADD COLUMN protocol  text        NOT NULL DEFAULT '',
    ADD COLUMN process   integer     NOT NULL DEFAULT 0,
    ADD COLUMN opened_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN closed_at timestamptz;
UPDATE connection_epoch SET closed_at = now();
ALTER TABLE connection_epoch ALTER COLUMN protocol DROP DEFAULT, ALTER COLUMN process DROP DEFAULT;

-- A process holds the advisory lock (20226, its number) while it lives: nobody has to say that it
-- died.
CREATE VIEW connected_station AS
SELECT station_id, epoch, protocol, opened_at FROM connection_epoch
WHERE closed_at IS NULL AND process IN (
    SELECT objid::bigint::integer FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 20226 AND objsubid = 2 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
);

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
