-- What is on its way to roaming partners (roaming_ocpi/relay): a row until it arrived, or never
-- will. `subject` is a CDR's id or a session's, `lane` the session's: of one lane one message goes
-- at a time. `version` rises with each change of what is to be said. `number` counts what was sent
-- to the party, and is given at the first attempt; `is_begun`: it may have been sent, whatever is
-- noted of it. `failures` are the attempts since somebody last
-- put it back; `reason` is in codes and numbers, for a partner's words may name a person.
-- new: nobody has looked at it; waiting: first of its lane; behind: another of its lane goes first;
-- dead: refused, until a person puts it back.
CREATE TABLE outgoing (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    party    text        NOT NULL,
    kind     text        NOT NULL CHECK (kind IN ('session', 'cdr', 'credit')),
    subject  text        NOT NULL,
    lane     text        NOT NULL,
    version  bigint      NOT NULL DEFAULT 1,
    state    text        NOT NULL DEFAULT 'new'
             CHECK (state IN ('new', 'waiting', 'behind', 'dead')),
    number   bigint,
    is_begun boolean     NOT NULL DEFAULT false,
    attempts integer     NOT NULL DEFAULT 0,
    failures integer     NOT NULL DEFAULT 0,
    next_at  timestamptz NOT NULL DEFAULT '-infinity',
    reason   text        NOT NULL DEFAULT '',
    UNIQUE (party, kind, subject)
);
CREATE INDEX outgoing_new ON outgoing (party, id) WHERE state = 'new';
CREATE INDEX outgoing_waiting ON outgoing (party, next_at, id) WHERE state = 'waiting';
CREATE INDEX outgoing_dead ON outgoing (party, id) WHERE state = 'dead';
CREATE INDEX outgoing_lane ON outgoing (party, lane, id);

-- How it goes with a party: the next number, and when it is asked again after it did not answer.
-- `refusals`: how many messages in a row it refused.
CREATE TABLE outgoing_party (
    party       text        PRIMARY KEY,
    next_number bigint      NOT NULL DEFAULT 1,
    failures    integer     NOT NULL DEFAULT 0,
    refusals    integer     NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT '-infinity',
    reason      text        NOT NULL DEFAULT ''
);

-- Each attempt, and what came of it. known: the partner had it already, from an attempt whose answer
-- was lost; nowhere: it offers no place for such messages; withheld: our terms with it say so.
-- `notes` are codes of what was odd about the answer or could not be said, `sha256` is of the bytes.
CREATE TABLE outgoing_attempt (
    party       text        NOT NULL,
    number      bigint      NOT NULL,
    attempt     integer     NOT NULL CHECK (attempt > 0),
    kind        text        NOT NULL,
    subject     text        NOT NULL,
    at          timestamptz NOT NULL,
    came_of_it  text        NOT NULL CHECK (came_of_it IN (
        'delivered', 'known', 'failed', 'refused', 'nowhere', 'withheld'
    )),
    http        integer,
    status_code integer,
    reason      text        NOT NULL DEFAULT '',
    notes       text[]      NOT NULL DEFAULT '{}',
    sha256      bytea,
    PRIMARY KEY (party, number, attempt)
);
CREATE INDEX outgoing_arrived ON outgoing_attempt (party, kind, subject)
    WHERE came_of_it IN ('delivered', 'known');

CREATE FUNCTION outgoing_attempt_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'outgoing_attempt is append-only: what was sent was sent';
END;
$$;
CREATE TRIGGER outgoing_attempt_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON outgoing_attempt FOR EACH STATEMENT EXECUTE FUNCTION outgoing_attempt_refuses_change();

-- Sessions of partners' drivers at our stations, as they were last told or are to be told: `body` is
-- the Session of OCPI 2.3.0 with subject ids in place of persons. `sign` is the last sign of it that
-- is in the body; null: it is over.
CREATE TABLE roaming_session (
    party        text        NOT NULL,
    session_id   text        NOT NULL,
    ocpi_id      text        NOT NULL,
    status       text        NOT NULL,
    version      bigint      NOT NULL DEFAULT 1,
    sign         timestamptz,
    last_updated timestamptz NOT NULL,
    body         bytea       NOT NULL,
    PRIMARY KEY (party, session_id)
);
CREATE INDEX roaming_session_page ON roaming_session (party, last_updated, session_id);
CREATE UNIQUE INDEX roaming_session_ocpi_id ON roaming_session (party, ocpi_id);
