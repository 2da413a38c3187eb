-- Money that came, went or was moved (ledger/payments): decided once, and never changed. Each row is
-- written in one transaction with its journal entry. `amount_minor` is what the account `cash:SOURCE`
-- rose by; the allotments say what for, and add up to it.
-- `source`: "stripe", or "bank:ACCOUNT". `reference` is its own name for it: of one kind each once.
CREATE TABLE movement (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL,
    source       text        NOT NULL CHECK (length(source) BETWEEN 1 AND 60),
    reference    text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 100),
    legal_entity text        NOT NULL,
    currency     text        NOT NULL,
    amount_minor bigint      NOT NULL,
    happened_at  timestamptz NOT NULL,
    recorded_by  text        NOT NULL,
    -- What it follows from: another movement, a request to a provider, a document; '' where nothing.
    about        text        NOT NULL DEFAULT '',
    original_period text COLLATE "C" NOT NULL,
    period       text COLLATE "C" NOT NULL CHECK (period >= original_period),
    UNIQUE (source, kind, reference)
);
CREATE INDEX movement_about ON movement (about) WHERE about <> '';
CREATE TRIGGER movement_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What the money of a movement is for. `document`: an invoice, or a settlement with a partner; ''
-- where none. A `minor` below 0 was given back or asked for again.
CREATE TABLE allotment (
    number   bigint  NOT NULL REFERENCES movement,
    place    integer NOT NULL CHECK (place > 0),
    account  text    NOT NULL,
    party    text    NOT NULL DEFAULT '',
    document text    NOT NULL DEFAULT '',
    minor    bigint  NOT NULL CHECK (minor <> 0),
    PRIMARY KEY (number, place)
);
CREATE INDEX allotment_document ON allotment (document) WHERE document <> '';
CREATE INDEX allotment_party ON allotment (party) WHERE party <> '';
CREATE TRIGGER allotment_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON allotment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What we decided to ask a provider for: written, and committed, before it is asked. `key` is the
-- idempotency key, made from the decision, and stands with the provider as metadata for ever: who
-- does not know what came of a call older than the provider's memory of keys looks for that.
CREATE TABLE provider_request (
    key          text        PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 200),
    provider     text        NOT NULL,
    kind         text        NOT NULL,
    -- An invoice's number, a visit's, a customer's subject id: what it is for.
    subject      text        NOT NULL,
    legal_entity text        NOT NULL,
    currency     text        NOT NULL DEFAULT '',
    amount_minor bigint      NOT NULL DEFAULT 0,
    -- The rest of the question, canonical JSON; no person stands in it.
    body         bytea       NOT NULL,
    decided_at   timestamptz NOT NULL,
    decided_by   text        NOT NULL
);
CREATE INDEX provider_request_subject ON provider_request (subject, kind);
CREATE TRIGGER provider_request_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON provider_request
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How it goes with a request. new: not asked yet. asked: it may have arrived. open: the provider has
-- it and is not done (`object_id`). done, failed, given_up: nothing more comes of it; `reason` is a
-- code. `asked_at`: when it was first asked.
CREATE TABLE provider_request_state (
    key       text        PRIMARY KEY REFERENCES provider_request,
    state     text        NOT NULL DEFAULT 'new'
              CHECK (state IN ('new', 'asked', 'open', 'done', 'failed', 'given_up')),
    attempts  integer     NOT NULL DEFAULT 0,
    asked_at  timestamptz,
    next_at   timestamptz NOT NULL DEFAULT '-infinity',
    object_id text,
    reason    text        NOT NULL DEFAULT ''
);
CREATE INDEX provider_request_waiting ON provider_request_state (next_at, key)
    WHERE state IN ('new', 'asked', 'open');
CREATE INDEX provider_request_object ON provider_request_state (object_id)
    WHERE object_id IS NOT NULL;

-- What a provider told us of: that something became of one of its objects. What, it is asked then.
-- Each event is kept for ever, so that none is taken twice; its body, in which persons stand, is not.
CREATE TABLE provider_event (
    provider    text        NOT NULL,
    event_id    text        NOT NULL CHECK (length(event_id) BETWEEN 1 AND 100),
    kind        text        NOT NULL,
    object_id   text        NOT NULL,
    created_at  timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id)
);
CREATE TRIGGER provider_event_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON provider_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Objects that are to be looked at anew: one row an object, however many events tell of it.
-- `told` rises with each; who has looked deletes the row where it is what it was then.
CREATE TABLE provider_object_due (
    provider  text        NOT NULL,
    object_id text        NOT NULL,
    kind      text        NOT NULL,
    told      bigint      NOT NULL DEFAULT 1,
    attempts  integer     NOT NULL DEFAULT 0,
    next_at   timestamptz NOT NULL DEFAULT '-infinity',
    reason    text        NOT NULL DEFAULT '',
    PRIMARY KEY (provider, object_id)
);
CREATE INDEX provider_object_due_next ON provider_object_due (provider, next_at);

-- Which customer of the provider's is ours (`customer`: a subject id), and how it may be charged
-- while it is away: the last row of each holds. is_ready false: not any more, or not yet.
CREATE TABLE provider_customer (
    provider     text NOT NULL,
    legal_entity text NOT NULL,
    customer     text NOT NULL,
    provider_id  text NOT NULL,
    PRIMARY KEY (provider, legal_entity, customer),
    UNIQUE (provider, provider_id)
);
CREATE TABLE payment_method (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider     text        NOT NULL,
    legal_entity text        NOT NULL,
    customer     text        NOT NULL,
    method_id    text        NOT NULL,
    way          text        NOT NULL CHECK (way IN ('card', 'sepa_debit')),
    is_ready     boolean     NOT NULL,
    said_at      timestamptz NOT NULL,
    reason       text        NOT NULL DEFAULT ''
);
CREATE INDEX payment_method_of ON payment_method (customer, legal_entity, provider, number DESC);
CREATE TRIGGER payment_method_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_method
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
