-- Who may use the interface (deploy/interface). A token is 256 random bits, so its hash needs no salt.
-- Rows come and go; a replay leaves them alone.

CREATE TABLE access_token (
    name       text PRIMARY KEY,
    digest     bytea       NOT NULL UNIQUE,
    scopes     text[]      NOT NULL,
    made_by    text        NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
