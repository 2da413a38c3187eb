-- How people come in: a second factor that is asked for, invitations by OIDC, browsers that were in.
ALTER TABLE user_account
    -- Whether this person comes in with a second factor alone.
    ADD COLUMN factor_required boolean NOT NULL DEFAULT false,
    -- The key of a second factor that was shown and not yet used, sealed.
    ADD COLUMN factor_offered bytea,
    -- Of OIDC, until the first time: a keyed digest of the e-mail address that was invited.
    ADD COLUMN invited_as bytea UNIQUE;

-- 'password': to choose one; 'code': the password was right, the second factor's code is awaited;
-- 'factor': the same, and a second factor is to be set first.
ALTER TABLE user_link ADD COLUMN purpose text NOT NULL DEFAULT 'password';
CREATE INDEX user_link_name ON user_link (name);
CREATE INDEX user_link_ends ON user_link (ends_at);

-- Browsers in which somebody came in: who guesses elsewhere holds none of them up.
CREATE TABLE known_browser (
    digest   bytea       PRIMARY KEY,
    name     text        NOT NULL REFERENCES user_account,
    known_at timestamptz NOT NULL
);
CREATE INDEX known_browser_name ON known_browser (name);
CREATE INDEX login_refusal_since ON login_refusal (since);
CREATE INDEX access_token_person ON access_token (person);
