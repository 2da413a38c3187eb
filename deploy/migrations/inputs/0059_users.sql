-- Who works here. An account is never deleted: its name stands beside decisions. `letters` is the
-- name without what does not tell two people apart (ledger/four_eyes.py).
CREATE TABLE user_account (
    name        text        PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 60),
    letters     text        NOT NULL UNIQUE CHECK (letters <> ''),
    full_name   text        NOT NULL,
    language    text        NOT NULL DEFAULT '',
    theme       text        NOT NULL DEFAULT '',
    version     integer     NOT NULL DEFAULT 1,
    made_by     text        NOT NULL,
    made_at     timestamptz NOT NULL,
    blocked_at  timestamptz,
    -- argon2id in its text form; null: none set, or the account comes in by OIDC alone.
    password    text,
    -- The key of the second factor (TOTP), sealed; null: none.
    second_factor bytea,
    -- The last step (RFC 6238) whose code was taken: each code lets in once.
    factor_step bigint      NOT NULL DEFAULT 0,
    -- Of OIDC: "issuer subject"; null: a local account.
    identity    text        UNIQUE
);
CREATE TABLE user_grant (
    name         text NOT NULL REFERENCES user_account,
    role         text NOT NULL,
    legal_entity text NOT NULL DEFAULT '',
    site         text NOT NULL DEFAULT '',
    PRIMARY KEY (name, role, legal_entity, site)
);

-- Every change of who may what, by whom: a decision, kept for ever. `change`: canonical JSON; no
-- secret stands in it.
CREATE TABLE user_change (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL,
    kind       text        NOT NULL,
    change     bytea       NOT NULL,
    changed_by text        NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX user_change_name ON user_change (name, number);
CREATE TRIGGER user_change_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON user_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Browsers that are in: the digest of the cookie. Rows come and go.
CREATE TABLE browser_session (
    digest   bytea       PRIMARY KEY,
    name     text        NOT NULL REFERENCES user_account,
    -- What a form of it has to bring along.
    form_key text        NOT NULL,
    begun_at timestamptz NOT NULL,
    seen_at  timestamptz NOT NULL,
    ends_at  timestamptz NOT NULL
);
CREATE INDEX browser_session_name ON browser_session (name);
CREATE INDEX browser_session_ends ON browser_session (ends_at);

-- Links that let somebody in once, to choose a password: the digest of what stands in the link.
CREATE TABLE user_link (
    digest  bytea       PRIMARY KEY,
    -- '': whoever comes makes the first account, an administrator's.
    name    text        NOT NULL,
    made_by text        NOT NULL,
    made_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    used_at timestamptz
);

-- Who tried to come in and could not, by account and by address, counted within a while.
CREATE TABLE login_refusal (
    whose  text        NOT NULL,
    count  integer     NOT NULL,
    since  timestamptz NOT NULL,
    PRIMARY KEY (whose)
);

-- Tokens for the interface: a person's own have what the person may (`person`); others their scopes.
ALTER TABLE access_token ADD COLUMN person text REFERENCES user_account;
