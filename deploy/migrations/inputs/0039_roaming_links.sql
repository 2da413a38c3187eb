-- How far the handshake with each roaming partner is (roaming_ocpi/registration). Rows change; what
-- they were before stands in `roaming_link_change`. The partner's token for us is sealed with a key
-- of its own (persons, kind 'secret'): who deletes that has revoked it for good.
CREATE TABLE roaming_link (
    partner      text        PRIMARY KEY CHECK (partner ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    state        text        NOT NULL CHECK (state IN ('invited', 'registered', 'paused', 'revoked')),
    -- What we are to it, the version spoken, where its versions and modules are, and which parties
    -- its credentials name: since the handshake.
    our_party    text,
    version      text,
    versions_url text,
    endpoints    jsonb       NOT NULL DEFAULT '[]',
    parties      text[]      NOT NULL DEFAULT '{}',
    sealed       text,
    changed_at   timestamptz NOT NULL,
    CHECK (state NOT IN ('registered', 'paused') OR (
        our_party IS NOT NULL AND version IS NOT NULL AND sealed IS NOT NULL
    ))
);

-- Our tokens, of which partners have the text and we a digest: 256 random bits, so it needs no salt.
-- An invitation (TOKEN_A) is for the handshake and ends; of access tokens there are two while one
-- takes the place of the other, until the new one was used. By the database's clock.
CREATE TABLE roaming_token (
    digest     bytea       PRIMARY KEY CHECK (length(digest) = 32),
    number     bigint      NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    partner    text        NOT NULL REFERENCES roaming_link,
    kind       text        NOT NULL CHECK (kind IN ('invitation', 'access')),
    made_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CHECK ((kind = 'invitation') = (expires_at IS NOT NULL))
);
CREATE INDEX roaming_token_of ON roaming_token (partner, number);

CREATE TABLE roaming_link_change (
    number  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner text        NOT NULL,
    state   text        NOT NULL,
    version text,
    at      timestamptz NOT NULL,
    by      text        NOT NULL,
    why     text        NOT NULL
);
CREATE INDEX roaming_link_change_of ON roaming_link_change (partner, number);
CREATE TRIGGER roaming_link_change_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON roaming_link_change FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A partner's call is let in by how the partner is declared at that moment.
CREATE INDEX declaration_of_partners ON declaration (key, valid_from DESC, version DESC)
    WHERE kind = 'partner';
