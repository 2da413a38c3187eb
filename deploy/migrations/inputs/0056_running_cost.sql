-- What sessions cost so far whose payers have only so much for them: noted at each look, so that
-- sessions of one payer share what is there (ledger/payments/topping_up/credit.py). Rows come and go.
CREATE TABLE running_cost (
    session_id   text        PRIMARY KEY,
    customer     text        NOT NULL,
    legal_entity text        NOT NULL,
    currency     text        NOT NULL,
    cost_minor   bigint      NOT NULL CHECK (cost_minor >= 0),
    noted_at     timestamptz NOT NULL
);
CREATE INDEX running_cost_of ON running_cost (customer, legal_entity, currency);
CREATE INDEX running_cost_noted ON running_cost (noted_at);
