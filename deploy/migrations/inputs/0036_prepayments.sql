-- What customers paid in advance, or were paid back of it (below 0): decided by a person, and never
-- changed. Each is written in one transaction with its journal entry.
-- `booked_after`: up to which event of schema decisions the documents were booked then. That is
-- the order between money that came and invoices that were settled from it.
CREATE TABLE prepayment (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    legal_entity text        NOT NULL,
    reference    text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 100),
    customer     text        NOT NULL,
    currency     text        NOT NULL,
    amount_minor bigint      NOT NULL CHECK (amount_minor <> 0),
    received_at  timestamptz NOT NULL,
    recorded_by  text        NOT NULL,
    booked_after bigint      NOT NULL,
    -- The month that it is of, and the one in whose books it stands.
    original_period text     NOT NULL,
    period       text        NOT NULL CHECK (period >= original_period),
    UNIQUE (legal_entity, reference)
);
CREATE INDEX prepayment_customer ON prepayment (customer, legal_entity, currency);

CREATE FUNCTION prepayment_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'prepayments are append-only: pay back what was recorded wrongly';
END;
$$;
CREATE TRIGGER prepayment_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON prepayment FOR EACH STATEMENT EXECUTE FUNCTION prepayment_refuses_change();
