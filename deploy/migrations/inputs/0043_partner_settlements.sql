-- What was agreed with roaming partners, month by month (ledger/settlements): decided by people, and
-- never changed. The decision itself is an event of schema decisions; these rows come with it.

-- `body` is the settlement as canonical JSON, `sha256` its hash. `place` counts in the series of a
-- legal entity and year. `period` is the month in whose books it stands.
CREATE TABLE partner_settlement (
    number       text        PRIMARY KEY,
    legal_entity text        NOT NULL,
    year         integer     NOT NULL,
    place        bigint      NOT NULL CHECK (place > 0),
    party        text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    month        text COLLATE "C" NOT NULL,
    currency     text        NOT NULL,
    due_minor    bigint      NOT NULL,
    agreed_at    timestamptz NOT NULL,
    agreed_by    text        NOT NULL,
    period       text COLLATE "C" NOT NULL CHECK (period >= month),
    body         bytea       NOT NULL,
    sha256       bytea       NOT NULL,
    UNIQUE (legal_entity, year, place),
    UNIQUE (party, legal_entity, month, currency)
);
CREATE TRIGGER partner_settlement_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON partner_settlement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Each CDR is settled at most once, as it was then: amounts are signed (a credit takes back), in
-- major units. `side`: sent by us, or received. Ids of CDRs compare without case (`cdr_key`).
CREATE TABLE settled_cdr (
    side          text    NOT NULL CHECK (side IN ('sent', 'received')),
    party         text    NOT NULL,
    cdr_key       text COLLATE "C" NOT NULL,
    number        text    NOT NULL REFERENCES partner_settlement,
    cdr_id        text    NOT NULL,
    kind          text    NOT NULL CHECK (kind IN ('cdr', 'credit')),
    credits       text,
    session_ref   text,
    ended_at      timestamptz NOT NULL,
    net           numeric NOT NULL,
    tax           numeric,
    energy_wh     numeric NOT NULL,
    is_earlier    boolean NOT NULL,
    is_correction boolean NOT NULL,
    PRIMARY KEY (side, party, cdr_key)
);
CREATE INDEX settled_cdr_number ON settled_cdr (number, side, cdr_key);
CREATE TRIGGER settled_cdr_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON settled_cdr
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a partner says of a CDR of ours: that it will not pay it, or (later) that it does. The last
-- word of each holds.
CREATE TABLE contested_cdr (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    party        text        NOT NULL,
    cdr_key      text COLLATE "C" NOT NULL,
    is_contested boolean     NOT NULL,
    said_at      timestamptz NOT NULL,
    recorded_by  text        NOT NULL,
    reason       text        NOT NULL
);
CREATE INDEX contested_cdr_of ON contested_cdr (party, cdr_key, number DESC);
CREATE TRIGGER contested_cdr_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON contested_cdr
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Which CDRs an invoice is about (OCPI 2.3.0, invoicereconciliation): ours for partners and theirs for
-- us (`owner`, a party). Each row is what was said of a record; the last one holds.
CREATE TABLE invoice_record (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner        text        NOT NULL,
    partner      text        NOT NULL,
    record_key   text COLLATE "C" NOT NULL,
    record_id    text        NOT NULL,
    invoice_id   text        NOT NULL,
    cdrs         text[]      NOT NULL,
    -- What a newer specification, or the partner, says besides: JSON with its numbers as they came.
    others       text        NOT NULL DEFAULT '{}',
    last_updated timestamptz NOT NULL,
    said_at      timestamptz NOT NULL,
    is_deleted   boolean     NOT NULL DEFAULT false
);
CREATE INDEX invoice_record_of ON invoice_record (partner, owner, record_key, number DESC);
CREATE TRIGGER invoice_record_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Records of ours are pushed by the relay.
ALTER TABLE outgoing DROP CONSTRAINT outgoing_kind_check,
    ADD CONSTRAINT outgoing_kind_check CHECK (kind IN ('session', 'cdr', 'credit', 'invoice'));
