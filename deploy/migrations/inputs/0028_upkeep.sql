-- What stations were asked for because something of a session is missing (ingest/upkeep). Rows come
-- and go; what was asked and answered stands in the log.

CREATE TABLE session_question (
    session_id text PRIMARY KEY,
    times      integer     NOT NULL CHECK (times > 0),
    -- By the product's clock.
    first_at   timestamptz NOT NULL,
    asked_at   timestamptz NOT NULL
);
CREATE INDEX session_question_asked ON session_question (asked_at);

-- What each station's local list was sent as: the declared tokens of a version, at a moment of the
-- product's clock; `epoch` is the connection on which the station said that it has `version`.
CREATE TABLE local_list (
    station_id       text PRIMARY KEY,
    version          integer     NOT NULL,
    declared_version bigint      NOT NULL,
    as_of            timestamptz NOT NULL,
    -- Null where the station did not take it; `problem` says why.
    digest           bytea,
    entries          integer     NOT NULL,
    epoch            bigint      NOT NULL,
    problem          text,
    tried_at         timestamptz NOT NULL DEFAULT now()
);

-- By it the calls of long ago are cleared.
CREATE INDEX station_command_deadline ON station_command (deadline);
