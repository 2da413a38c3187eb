-- Statements of our bank accounts as they were imported (ledger/payments/bank). `digest` is of what
-- a statement says, so that the same one comes once, however its file is written. No balances: a
-- report during the day, or a file that has none.
CREATE TABLE bank_statement (
    number        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    form          text        NOT NULL CHECK (form IN ('camt.053', 'camt.052', 'csv')),
    account       text        NOT NULL,
    currency      text        NOT NULL,
    legal_entity  text        NOT NULL,
    statement_id  text        NOT NULL,
    page          integer     NOT NULL,
    digest        text        NOT NULL,
    opening_minor bigint,
    closing_minor bigint,
    lines         integer     NOT NULL,
    new_lines     integer     NOT NULL,
    imported_at   timestamptz NOT NULL,
    imported_by   text        NOT NULL,
    UNIQUE (account, currency, digest)
);
CREATE TRIGGER bank_statement_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_statement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A line, as a bank booked it. `line` names it for ever, and is the reference of its movement;
-- `entry` names what was booked at once, of which it is all or a part. Who the other side is, and
-- what it wrote, is sealed for `subject`.
CREATE TABLE bank_line (
    line         text    PRIMARY KEY,
    entry        text    NOT NULL,
    statement    bigint  NOT NULL REFERENCES bank_statement,
    source       text    NOT NULL,
    legal_entity text    NOT NULL,
    currency     text    NOT NULL,
    amount_minor bigint  NOT NULL CHECK (amount_minor <> 0),
    booked_on    date    NOT NULL,
    value_on     date    NOT NULL,
    is_reversal  boolean NOT NULL,
    subject      text    NOT NULL,
    sealed       text    NOT NULL
);
CREATE INDEX bank_line_entry ON bank_line (entry);
CREATE INDEX bank_line_subject ON bank_line (subject);
CREATE INDEX bank_line_booked ON bank_line (source, currency, booked_on);
CREATE TRIGGER bank_line_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_line
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The work list: what of a line stands in cash:unmatched, and why. Rows come and go with movements.
CREATE TABLE unmatched_line (
    line       text   PRIMARY KEY REFERENCES bank_line,
    left_minor bigint NOT NULL CHECK (left_minor <> 0),
    reason     text   NOT NULL,
    booked_on  date   NOT NULL
);
CREATE INDEX unmatched_line_booked ON unmatched_line (booked_on, line);

-- What a person decided about a line that takes a second one: it waits until another says the same.
-- `body` is what would be booked, as canonical JSON.
CREATE TABLE match_proposal (
    line        text        PRIMARY KEY REFERENCES bank_line,
    body        bytea       NOT NULL,
    proposed_by text        NOT NULL,
    proposed_at timestamptz NOT NULL
);

-- That the payer of an open invoice is reminded, for the how manieth time: decided once each.
CREATE TABLE reminder (
    invoice      text        NOT NULL,
    level        integer     NOT NULL CHECK (level > 0),
    legal_entity text        NOT NULL,
    customer     text        NOT NULL,
    currency     text        NOT NULL,
    open_minor   bigint      NOT NULL CHECK (open_minor > 0),
    due_on       date        NOT NULL,
    decided_at   timestamptz NOT NULL,
    PRIMARY KEY (invoice, level)
);
CREATE INDEX reminder_decided ON reminder (decided_at);
CREATE TRIGGER reminder_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON reminder
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- It goes the way by which its invoice came, with the invoice; 0: the invoice itself.
ALTER TABLE document_delivery ADD COLUMN reminder integer NOT NULL DEFAULT 0 CHECK (reminder >= 0);
ALTER TABLE document_delivery DROP CONSTRAINT document_delivery_number_way_key,
    ADD UNIQUE (number, way, reminder);
