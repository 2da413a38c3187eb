-- What partners told us of our drivers, as their messages in the log make it (roaming_ocpi/incoming):
-- read, priced again and judged. Ids compare without case: `cdr_key` and the like are the folded ones.

-- The next record that is read of each partition: the guard of every transaction.
CREATE TABLE partner_reading (
    partition        integer PRIMARY KEY,
    next_position    bigint   NOT NULL,
    declared_version bigint   NOT NULL,
    producers        text[]   NOT NULL DEFAULT '{}',
    sequences        bigint[] NOT NULL DEFAULT '{}'
);

-- `net` is before taxes, exactly as stated; null: it states none. `contract` is sealed for `subject`.
-- `judged` is what our rules say of it, `verdict` what holds: a person may have decided otherwise.
CREATE TABLE partner_cdr (
    party        text        NOT NULL,
    cdr_id       text        NOT NULL,
    cdr_key      text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('cdr', 'credit')),
    credits      text,
    credited_by  text,
    version      text        NOT NULL,
    currency     text,
    net          numeric,
    tax          numeric,
    energy_kwh   numeric,
    started_at   timestamptz,
    ended_at     timestamptz,
    received_at  timestamptz NOT NULL,
    partition    integer     NOT NULL,
    position     bigint      NOT NULL,
    line         integer     NOT NULL,
    subject      text,
    contract     text,
    session_ref  text,
    session_key  text,
    verdict      text        NOT NULL CHECK (verdict IN ('accepted', 'flagged', 'disputed')),
    judged       text        NOT NULL CHECK (judged IN ('accepted', 'flagged', 'disputed')),
    codes        jsonb       NOT NULL,
    repriced_net numeric,
    tariff_id    text,
    -- Where its place is, as it was known then.
    zone         text,
    declared_version bigint  NOT NULL,
    sha256       bytea       NOT NULL,
    decided_at   timestamptz,
    decided_by   text,
    reason       text,
    PRIMARY KEY (party, cdr_id),
    CHECK ((kind = 'credit') OR credits IS NULL),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL))
);
CREATE UNIQUE INDEX partner_cdr_key ON partner_cdr (party, cdr_key);
CREATE INDEX partner_cdr_session ON partner_cdr (party, session_key, cdr_key COLLATE "C")
    WHERE kind = 'cdr' AND credited_by IS NULL AND started_at IS NOT NULL;
CREATE INDEX partner_cdr_token ON partner_cdr (party, subject, ended_at)
    WHERE kind = 'cdr' AND credited_by IS NULL;
CREATE INDEX partner_cdr_received ON partner_cdr (received_at DESC, party, cdr_key);
CREATE INDEX partner_cdr_open ON partner_cdr (received_at DESC) WHERE verdict <> 'accepted';

-- The same id with other content: nothing of it counts, and the CDR says so.
CREATE TABLE partner_cdr_again (
    party       text        NOT NULL,
    cdr_key     text        NOT NULL,
    partition   integer     NOT NULL,
    position    bigint      NOT NULL,
    line        integer     NOT NULL,
    received_at timestamptz NOT NULL,
    sha256      bytea       NOT NULL,
    PRIMARY KEY (partition, position, line)
);
CREATE INDEX partner_cdr_again_key ON partner_cdr_again (party, cdr_key);

-- What was told last of each session.
CREATE TABLE partner_session (
    party        text        NOT NULL,
    session_id   text        NOT NULL,
    session_key  text        NOT NULL,
    status       text,
    currency     text,
    net          numeric,
    energy_kwh   numeric,
    started_at   timestamptz,
    ended_at     timestamptz,
    last_updated timestamptz,
    subject      text,
    partition    integer     NOT NULL,
    position     bigint      NOT NULL,
    line         integer     NOT NULL,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (party, session_key)
);

-- Lines of partners that cannot be read; they stay in the log and stop nothing.
CREATE TABLE partner_line_aside (
    partition integer NOT NULL,
    position  bigint  NOT NULL,
    line      integer NOT NULL,
    party     text    NOT NULL,
    why       text    NOT NULL,
    PRIMARY KEY (partition, position, line)
);
