-- Decisions about sessions and the journal that follows from them: written by COPY, never changed.

CREATE FUNCTION books_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: correct it with a new decision', TG_TABLE_NAME;
END;
$$;

-- What was decided, at which log record; `body` is canonical JSON, packed as in
-- ledger/rating/stored.py, `sha256` the hash of that JSON.
-- `number` counts the decisions of a partition in the order of the log, from 1, without gaps.
CREATE TABLE session_decision (
    session_id text        NOT NULL,
    revision   integer     NOT NULL CHECK (revision > 0),
    partition  integer     NOT NULL CHECK (partition >= 0),
    position   bigint      NOT NULL,
    number     bigint      NOT NULL CHECK (number > 0),
    kind       text        NOT NULL CHECK (
        kind IN ('rated', 'released', 'corrected', 'held', 'written_off')
    ),
    station_id text        NOT NULL,
    decided_at timestamptz NOT NULL,
    body       bytea       NOT NULL,
    sha256     bytea       NOT NULL,
    PRIMARY KEY (session_id, position),
    UNIQUE (partition, number)
);
ALTER TABLE session_decision ALTER COLUMN body SET STORAGE EXTERNAL;
-- A revision of a session is decided for good at most once; a correction is the next revision.
CREATE UNIQUE INDEX session_decision_final ON session_decision (session_id, revision)
    WHERE kind <> 'held';
-- What holds of each session: its final decision of the highest revision.
CREATE VIEW final_decision AS
SELECT * FROM session_decision AS decision WHERE kind <> 'held' AND NOT EXISTS (
    SELECT FROM session_decision AS later WHERE later.session_id = decision.session_id
    AND later.kind <> 'held' AND later.revision > decision.revision
);

-- At most one final line per revision of a session, component and period; `line` counts them.
CREATE TABLE rated_line (
    session_id    text        NOT NULL,
    revision      integer     NOT NULL,
    line          integer     NOT NULL,
    component     text        NOT NULL,
    dimension     text        NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    volume        numeric     NOT NULL,
    billed_volume numeric     NOT NULL,
    unit_price    numeric     NOT NULL,
    tax_percent   numeric,
    currency      text        NOT NULL,
    net_minor     bigint      NOT NULL,
    tax_minor     bigint      NOT NULL,
    PRIMARY KEY (session_id, revision, component, starts_at)
);

-- Corrections whose documents are still to come: what stands on an invoice is to be credited, what
-- was settled with a partner to be settled otherwise. A work list: its rows go.
CREATE TABLE correction_to_document (
    session_id text    NOT NULL,
    revision   integer NOT NULL,
    corrects   integer NOT NULL CHECK (corrects < revision),
    decided_at timestamptz NOT NULL,
    is_settled_with_partner boolean NOT NULL,
    PRIMARY KEY (session_id, revision)
);
CREATE INDEX correction_to_document_due ON correction_to_document (decided_at)
    WHERE NOT is_settled_with_partner;

-- Rated sessions that wait for their invoice: a work list, the only other table that is emptied.
CREATE TABLE uninvoiced_session (
    session_id    text NOT NULL,
    revision      integer NOT NULL,
    legal_entity  text NOT NULL,
    customer      text,
    currency      text NOT NULL,
    billing_month text NOT NULL,
    invoicing     text NOT NULL CHECK (
        invoicing IN ('per_session', 'per_month', 'on_threshold')
    ),
    gross_minor   bigint NOT NULL,
    decided_at    timestamptz NOT NULL,
    PRIMARY KEY (session_id, revision)
);
CREATE INDEX uninvoiced_session_due ON uninvoiced_session (invoicing, billing_month);
CREATE INDEX uninvoiced_session_threshold
    ON uninvoiced_session (legal_entity, customer, currency) INCLUDE (gross_minor, decided_at)
    WHERE invoicing = 'on_threshold';

CREATE TABLE issued_invoice (
    number         text        PRIMARY KEY,
    -- In its series: that of a legal entity, a kind of document and the year of `issued_on`.
    place          bigint      NOT NULL CHECK (place > 0),
    cause          text        NOT NULL UNIQUE,
    invoice_id     uuid        NOT NULL UNIQUE,
    legal_entity   text        NOT NULL,
    customer       text,
    currency       text        NOT NULL,
    issued_on      date        NOT NULL,
    issued_at      timestamptz NOT NULL,
    net_minor      bigint      NOT NULL,
    tax_minor      bigint      NOT NULL,
    gross_minor    bigint      NOT NULL,
    rounding_minor bigint      NOT NULL,
    due_minor      bigint      NOT NULL,
    sha256         text        NOT NULL,
    -- Of a credit note: the invoice. Its amounts are positive, and owed no more.
    credits        text        REFERENCES issued_invoice,
    CHECK (net_minor + tax_minor = gross_minor),
    CHECK (gross_minor + rounding_minor = due_minor)
);

-- A revision of a session stands on at most one invoice.
CREATE TABLE invoiced_session (
    session_id text    NOT NULL,
    revision   integer NOT NULL,
    number     text    NOT NULL REFERENCES issued_invoice,
    PRIMARY KEY (session_id, revision)
);
CREATE INDEX invoiced_session_number ON invoiced_session (number);
CREATE INDEX issued_invoice_issued ON issued_invoice (issued_on, number);
CREATE INDEX issued_invoice_credits ON issued_invoice (credits) WHERE credits IS NOT NULL;

-- What credit notes are about. `is_rest`: with this one nothing of the rating stands any more.
CREATE TABLE credited_session (
    session_id text    NOT NULL,
    revision   integer NOT NULL,
    number     text    NOT NULL REFERENCES issued_invoice,
    is_rest    boolean NOT NULL,
    PRIMARY KEY (session_id, revision, number),
    FOREIGN KEY (session_id, revision) REFERENCES invoiced_session
);
CREATE UNIQUE INDEX credited_session_rest ON credited_session (session_id, revision) WHERE is_rest;
CREATE INDEX credited_session_number ON credited_session (number);

-- What stands on an invoice is credited at most once, line by line (of the rating).
CREATE TABLE credited_line (
    session_id text    NOT NULL,
    revision   integer NOT NULL,
    line       integer NOT NULL,
    number     text    NOT NULL,
    PRIMARY KEY (session_id, revision, line),
    FOREIGN KEY (session_id, revision, number) REFERENCES credited_session
);

-- From which record on a legal entity's books are closed up to and with `month` ("2026-03") in a
-- partition, or are open again from that month on. `number` counts its marks. In partition -1 stand
-- those of documents: `position` is that of booked_position from which on they hold.
CREATE TABLE period_mark (
    partition    integer NOT NULL CHECK (partition >= -1),
    legal_entity text    NOT NULL,
    number       bigint  NOT NULL CHECK (number > 0),
    month        text    NOT NULL,
    act          text    NOT NULL CHECK (act IN ('close', 'open')),
    position     bigint  NOT NULL,
    PRIMARY KEY (partition, legal_entity, number)
);

-- What was accrued at the mark of a month's end for a session that ran over it: its price so far,
-- without taxes. `zones` are the UTC offsets that it was priced by, as JSON.
CREATE TABLE accrued_session (
    session_id   text        NOT NULL,
    month        text        NOT NULL,
    partition    integer     NOT NULL,
    position     bigint      NOT NULL,
    legal_entity text        NOT NULL,
    until        timestamptz NOT NULL,
    currency     text        NOT NULL,
    net_minor    bigint      NOT NULL,
    zones        bytea       NOT NULL,
    PRIMARY KEY (session_id, month)
);

-- Up to and with which month a legal entity's books are closed for good: nothing comes into it.
CREATE TABLE closed_period (
    legal_entity text PRIMARY KEY,
    month        text COLLATE "C" NOT NULL
);

-- `session_id` and `revision`: which decision it follows from; null for an invoice. The legs stand
-- in arrays, the first of each array is the first leg's: a debit is positive, a credit negative.
-- `period` is the month in whose books it stands, `original_period` the one that it is about: the
-- same, unless that one was closed.
CREATE TABLE journal_entry (
    entry_id     text        PRIMARY KEY,
    legal_entity text        NOT NULL,
    booked_at    timestamptz NOT NULL,
    period       text COLLATE "C" NOT NULL,
    original_period text COLLATE "C" NOT NULL,
    session_id   text,
    revision     integer,
    accounts     text[]      NOT NULL CHECK (cardinality(accounts) > 0),
    parties      text[]      NOT NULL CHECK (cardinality(parties) = cardinality(accounts)),
    currencies   text[]      NOT NULL CHECK (cardinality(currencies) = cardinality(accounts)),
    amounts      bigint[]    NOT NULL CHECK (cardinality(amounts) = cardinality(accounts)),
    CHECK (0 <> ALL (amounts) AND array_position(amounts, NULL) IS NULL),
    CHECK (array_position(accounts || parties || currencies, NULL) IS NULL),
    CHECK ((session_id IS NULL) = (revision IS NULL)),
    CHECK (period >= original_period)
);
-- What stands on a customer's prepaid account: the first leg of its entries, and of no others.
CREATE INDEX journal_entry_prepaid ON journal_entry ((parties[1]), legal_entity, (currencies[1]))
    WHERE accounts[1] = 'prepayments';
CREATE INDEX journal_entry_period ON journal_entry (legal_entity, period);
CREATE INDEX journal_entry_moved ON journal_entry (legal_entity, original_period)
    WHERE period <> original_period;
CREATE VIEW posting AS
SELECT entry_id, posting::integer, account, party, currency, amount_minor
FROM journal_entry, unnest(accounts, parties, currencies, amounts)
    WITH ORDINALITY AS leg (account, party, currency, amount_minor, posting);

-- An entry balances per currency, or it does not come.
CREATE FUNCTION entry_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    off record;
BEGIN
    SELECT entry_id, currency, sum(amount_minor) AS total INTO off
    FROM added, unnest(currencies, amounts) AS leg (currency, amount_minor)
    GROUP BY entry_id, currency HAVING sum(amount_minor) IS DISTINCT FROM 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % is off by % minor units %', off.entry_id, off.total, off.currency
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER entry_balances AFTER INSERT ON journal_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION entry_must_balance();

-- What is closed stays as it is.
CREATE FUNCTION entry_must_be_of_open_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused record;
BEGIN
    SELECT added.entry_id, added.period, added.legal_entity INTO refused
    FROM added JOIN closed_period AS closed USING (legal_entity)
    WHERE added.period <= closed.month LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % is of %, which % has closed',
            refused.entry_id, refused.period, refused.legal_entity
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER entry_is_of_open_period AFTER INSERT ON journal_entry
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION entry_must_be_of_open_period();

CREATE TRIGGER period_mark_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON period_mark FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
-- What was booked on each account in each hour (UTC, by `booked_at`), for who asks for balances:
-- added in the entries' own transaction, as further rows, so that nobody waits for anybody. Rows of
-- one key are put together later (projections/balances/booked_hours.py); their sum is what counts.
CREATE TABLE booked_hour (
    legal_entity text        NOT NULL,
    hour         timestamptz NOT NULL,
    period       text COLLATE "C" NOT NULL,
    currency     text        NOT NULL,
    account      text        NOT NULL,
    debit_minor  numeric     NOT NULL,
    credit_minor numeric     NOT NULL,
    -- As it was put together; false: as it was added.
    is_whole     boolean     NOT NULL DEFAULT false
);
CREATE INDEX booked_hour_added ON booked_hour (hour) WHERE NOT is_whole;
CREATE INDEX booked_hour_hour ON booked_hour (hour);
CREATE INDEX journal_entry_booked ON journal_entry (booked_at);
CREATE FUNCTION add_to_booked_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO booked_hour
        (legal_entity, hour, period, currency, account, debit_minor, credit_minor)
    SELECT legal_entity, date_trunc('hour', booked_at, 'UTC'), period, currency, account,
           coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0),
           coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0)
    FROM added, unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
    GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END;
$$;
CREATE TRIGGER entry_added AFTER INSERT ON journal_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_to_booked_hours();

CREATE TRIGGER accrued_session_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON accrued_session FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER session_decision_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON session_decision FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER rated_line_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON rated_line FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER issued_invoice_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON issued_invoice FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER invoiced_session_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON invoiced_session FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER credited_session_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON credited_session FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER credited_line_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON credited_line FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
CREATE TRIGGER journal_entry_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON journal_entry FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();
