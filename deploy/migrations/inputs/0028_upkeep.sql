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

-- By it the calls of long ago are cleared.
CREATE INDEX station_command_deadline ON station_command (deadline);
