-- CDRs of ours, made once from a rated session and frozen (roaming_ocpi/cdrs). Persons stand in the
-- body as subject ids. Of a credit net, tax and energy are negative.
CREATE TABLE roaming_cdr (
    party         text        NOT NULL,
    -- In the order of making, from 1, without gaps.
    number        bigint      NOT NULL CHECK (number > 0),
    cdr_id        text        PRIMARY KEY CHECK (length(cdr_id) <= 36),
    session_id    text        NOT NULL,
    revision      integer     NOT NULL CHECK (revision > 0),
    kind          text        NOT NULL CHECK (kind IN ('cdr', 'credit')),
    credits       text        UNIQUE REFERENCES roaming_cdr,
    legal_entity  text        NOT NULL,
    currency      text        NOT NULL,
    net_minor     bigint      NOT NULL,
    tax_minor     bigint      NOT NULL,
    energy_wh     numeric     NOT NULL,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz NOT NULL,
    billing_month text        NOT NULL,
    made_at       timestamptz NOT NULL,
    notes         jsonb       NOT NULL,
    body          bytea       NOT NULL,
    sha256        bytea       NOT NULL,
    UNIQUE (party, number),
    UNIQUE (session_id, revision, kind),
    CHECK ((kind = 'credit') = (credits IS NOT NULL))
);
-- Ids of OCPI know no case.
CREATE UNIQUE INDEX roaming_cdr_ci ON roaming_cdr (lower(cdr_id));
CREATE INDEX roaming_cdr_made ON roaming_cdr (party, made_at, number);
CREATE INDEX roaming_cdr_month ON roaming_cdr (party, billing_month);

CREATE FUNCTION cdrs_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a CDR is made once, and taken back by a credit', TG_TABLE_NAME;
END;
$$;
CREATE TRIGGER roaming_cdr_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON roaming_cdr FOR EACH STATEMENT EXECUTE FUNCTION cdrs_refuse_change();

-- Sessions of which no CDR could be made, and why: a work list, whose rows go when one was made.
CREATE TABLE refused_cdr (
    session_id text        PRIMARY KEY,
    revision   integer     NOT NULL,
    party      text        NOT NULL,
    code       text        NOT NULL,
    reason     text        NOT NULL,
    refused_at timestamptz NOT NULL
);
CREATE INDEX refused_cdr_party ON refused_cdr (party);
