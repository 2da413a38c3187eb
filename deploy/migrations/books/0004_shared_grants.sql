-- Who validated what, at which line of the log.
CREATE TABLE validation (
    partition    integer     NOT NULL,
    position     bigint      NOT NULL,
    line         integer     NOT NULL,
    session_id   text        NOT NULL,
    station_id   text        NOT NULL,
    code         text        NOT NULL,
    validated_by text        NOT NULL,
    validated_at timestamptz NOT NULL,
    PRIMARY KEY (partition, position, line)
);
CREATE INDEX validation_session ON validation (session_id);

-- What rated sessions found used of the grants that they share, and what they used themselves.
-- `key` names tariff, grant and whose it is; `number` counts the uses of a key in a period.
CREATE TABLE allowance_use (
    key            text    NOT NULL,
    period         text    NOT NULL,
    number         bigint  NOT NULL CHECK (number > 0),
    session_id     text    NOT NULL,
    revision       integer NOT NULL,
    before_wh      numeric NOT NULL CHECK (before_wh >= 0),
    before_seconds numeric NOT NULL CHECK (before_seconds >= 0),
    before_minor   bigint  NOT NULL CHECK (before_minor >= 0),
    before_uses    bigint  NOT NULL CHECK (before_uses >= 0),
    -- A correction uses the difference, which may be less than nothing.
    used_wh        numeric NOT NULL CHECK (used_wh >= 0 OR revision > 1),
    used_seconds   numeric NOT NULL CHECK (used_seconds >= 0 OR revision > 1),
    used_minor     bigint  NOT NULL CHECK (used_minor >= 0 OR revision > 1),
    used_uses      bigint  NOT NULL CHECK (used_uses >= 0 OR revision > 1),
    PRIMARY KEY (key, period, number),
    UNIQUE (session_id, revision, key, period)
);

-- Where each key stands: the row that workers lock, so that one session after the other uses it.
CREATE TABLE allowance_head (
    key          text    NOT NULL,
    period       text    NOT NULL,
    number       bigint  NOT NULL,
    energy_wh    numeric NOT NULL,
    seconds      numeric NOT NULL,
    amount_minor bigint  NOT NULL,
    uses         bigint  NOT NULL,
    PRIMARY KEY (key, period)
);

CREATE TRIGGER validation_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON validation FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER allowance_use_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON allowance_use FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
