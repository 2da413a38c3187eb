-- How often something was noted of a request: an answer that was on its way while somebody noted what
-- came later is older than what stands here, and is looked up again instead of taken.
ALTER TABLE provider_request_state ADD COLUMN noted bigint NOT NULL DEFAULT 0;

-- Open invoices of customers, and how it goes with collecting each (ledger/payments/collecting): a row
-- from when it is issued until nothing is open of it. waiting: until `next_at`. no_method: until its
-- customer may be charged. under_way: until its request came to something. asks_customer, given_up:
-- nothing more happens by itself; `reason` is a code.
CREATE TABLE collection (
    number       text        PRIMARY KEY,
    legal_entity text        NOT NULL,
    customer     text        NOT NULL,
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN
                 ('waiting', 'no_method', 'under_way', 'asks_customer', 'given_up')),
    next_at      timestamptz NOT NULL,
    reason       text        NOT NULL DEFAULT ''
);
CREATE INDEX collection_next ON collection (next_at, number) WHERE state = 'waiting';
CREATE INDEX collection_customer ON collection (customer, legal_entity);
CREATE INDEX collection_people ON collection (state, number)
    WHERE state IN ('asks_customer', 'given_up');

-- What one person wants to give back of an invoice, above what one may alone: until another agrees.
CREATE TABLE refund_proposal (
    invoice      text        PRIMARY KEY,
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    proposed_by  text        NOT NULL,
    proposed_at  timestamptz NOT NULL
);
