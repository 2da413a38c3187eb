-- Tokens of roaming partners (ledger/partners/tokens.py). Of the rows of one party and subject the
-- last one holds. Nothing loads the table: it is looked up by subject when a station shows a token.

CREATE TABLE partner_token (
    number      bigint GENERATED ALWAYS AS IDENTITY,
    party       text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    subject     text        NOT NULL CHECK (length(subject) <= 64),
    -- The contract's id, sealed with the subject's key: who is erased has no readable one.
    contract    text        NOT NULL CHECK (length(contract) <= 100),
    is_valid    boolean     NOT NULL,
    whitelist   text        NOT NULL
        CHECK (whitelist IN ('always', 'allowed', 'allowed_offline', 'never')),
    expires_at  timestamptz,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (subject, party, number)
);

CREATE TRIGGER partner_token_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON partner_token
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
