-- What partners told us of our drivers (roaming_ocpi/incoming), by id, so that the same again is
-- answered the same and what was given can be asked for. The log holds all of it before; a row that a
-- kill kept from being written comes with the repeat. Who stands in a body is cut out and sealed, as
-- in the log. `digest`: of what it says, whatever its spaces and order, and of what was cut out.

CREATE TABLE received_cdr (
    party       text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    cdr_key     text        NOT NULL,
    digest      bytea       NOT NULL,
    -- How its address ends: made of party and id, so the same whenever it is asked.
    address     text        NOT NULL,
    -- Where it stands in the log; of several under one id the first one holds.
    partition   integer     NOT NULL,
    position    bigint      NOT NULL,
    line        integer     NOT NULL,
    body        text        NOT NULL,
    sealed      text        NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (party, cdr_key, digest)
);
CREATE INDEX received_cdr_address ON received_cdr (address);
CREATE TRIGGER received_cdr_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON received_cdr
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A session as it was told last: its parts come one by one, and the newest of each holds.
CREATE TABLE received_session (
    party        text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    session_key  text        NOT NULL,
    last_updated timestamptz NOT NULL,
    body         text        NOT NULL,
    sealed       text        NOT NULL,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (party, session_key)
);

-- How far a partner's own list was read, to go on from there after a restart. `taken` and `refused`
-- count the objects of the last time; `problem`: why it came to no end.
CREATE TABLE partner_pull (
    party     text        NOT NULL,
    module    text        NOT NULL CHECK (module IN ('cdrs', 'sessions')),
    -- Everything updated before was taken; null: nothing yet.
    date_from timestamptz,
    tried_at  timestamptz NOT NULL,
    taken     bigint      NOT NULL,
    refused   bigint      NOT NULL,
    problem   text,
    PRIMARY KEY (party, module)
);
