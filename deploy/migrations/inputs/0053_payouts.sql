-- Payouts of a provider, and what each consists of (ledger/payments/payouts), as the provider said it
-- when the payout was booked: never changed. What is booked of a payout follows from these rows.
-- `difference_minor`: what the payout is more than its lines come to; 0 unless the provider's own
-- figures do not add up.
CREATE TABLE payout (
    provider     text        NOT NULL,
    payout_id    text        NOT NULL CHECK (length(payout_id) BETWEEN 1 AND 60),
    legal_entity text        NOT NULL,
    currency     text        NOT NULL,
    amount_minor bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    arrives_on   date,
    lines        integer     NOT NULL CHECK (lines >= 0),
    difference_minor bigint  NOT NULL,
    taken_at     timestamptz NOT NULL,
    PRIMARY KEY (provider, payout_id)
);
CREATE INDEX payout_created ON payout (created_at DESC, payout_id);
CREATE TRIGGER payout_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON payout
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A line of a payout: amount - fee = net, in the payout's currency. `rule`: how it was booked.
-- `movement`: the movement of ours that it was held against, or that was made of it, and
-- `booked_minor`: so much of that one left the provider with it, in the movement's own currency.
CREATE TABLE payout_line (
    provider     text        NOT NULL,
    payout_id    text        NOT NULL,
    line_id      text        NOT NULL CHECK (length(line_id) BETWEEN 1 AND 60),
    kind         text        NOT NULL,
    source_id    text,
    amount_minor bigint      NOT NULL,
    fee_minor    bigint      NOT NULL,
    net_minor    bigint      NOT NULL CHECK (net_minor = amount_minor - fee_minor),
    created_at   timestamptz NOT NULL,
    rule         text        NOT NULL,
    movement     bigint      REFERENCES movement,
    booked_minor bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, payout_id, line_id),
    FOREIGN KEY (provider, payout_id) REFERENCES payout
);
CREATE INDEX payout_line_movement ON payout_line (movement) WHERE movement IS NOT NULL;
CREATE INDEX payout_line_id ON payout_line (line_id);
CREATE TRIGGER payout_line_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_line
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What of our movements a provider still has: a row goes when a payout took all of it. The sum of a
-- source and currency is the balance of the account `cash:SOURCE`.
CREATE TABLE movement_at_provider (
    number       bigint      PRIMARY KEY REFERENCES movement,
    source       text        NOT NULL,
    reference    text        NOT NULL,
    kind         text        NOT NULL,
    legal_entity text        NOT NULL,
    currency     text        NOT NULL,
    left_minor   bigint      NOT NULL CHECK (left_minor <> 0),
    happened_at  timestamptz NOT NULL
);
-- Several of one object of the provider's are told apart by what follows a slash.
CREATE INDEX movement_at_provider_named
    ON movement_at_provider (source, split_part(reference, '/', 1));
CREATE INDEX movement_at_provider_since ON movement_at_provider (happened_at, number);

-- Lines of a provider's own statement ('banked') are made of a payout's lines, and leave with it.
CREATE FUNCTION keep_movement_at_provider() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO movement_at_provider
    VALUES (new.number, new.source, new.reference, new.kind, new.legal_entity, new.currency,
            new.amount_minor, new.happened_at);
    RETURN NULL;
END
$$;
CREATE TRIGGER movement_at_provider_comes AFTER INSERT ON movement FOR EACH ROW
    WHEN (new.amount_minor <> 0 AND new.source NOT LIKE 'bank:%'
          AND new.kind NOT IN ('paid_out', 'banked', 'matched'))
    EXECUTE FUNCTION keep_movement_at_provider();

-- How it stands with disputes, as the provider said last. What was booked of them are movements.
-- `received`: the movement by which the disputed money came, once it is known.
CREATE TABLE dispute (
    provider     text        NOT NULL,
    dispute_id   text        NOT NULL CHECK (length(dispute_id) BETWEEN 1 AND 60),
    intent_id    text        NOT NULL,
    legal_entity text        NOT NULL,
    status       text        NOT NULL CHECK (status IN ('inquiry', 'open', 'won', 'lost')),
    currency     text        NOT NULL,
    amount_minor bigint      NOT NULL,
    taken_minor  bigint      NOT NULL,
    fee_minor    bigint      NOT NULL,
    given_back_minor bigint  NOT NULL,
    reason       text        NOT NULL,
    received     bigint      REFERENCES movement,
    created_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    PRIMARY KEY (provider, dispute_id)
);
CREATE INDEX dispute_of_intent ON dispute (intent_id);
CREATE INDEX dispute_of_received ON dispute (received) WHERE received IS NOT NULL;
CREATE INDEX dispute_created ON dispute (created_at DESC, dispute_id);
CREATE INDEX dispute_unsettled ON dispute (legal_entity, created_at) WHERE status IN ('inquiry', 'open');

-- What a person decided about money at a provider that nobody could explain, and that takes a second
-- one: it waits until another says the same. `body` is what would be booked, as canonical JSON.
CREATE TABLE money_proposal (
    number      bigint      PRIMARY KEY REFERENCES movement,
    body        bytea       NOT NULL,
    proposed_by text        NOT NULL,
    proposed_at timestamptz NOT NULL
);
