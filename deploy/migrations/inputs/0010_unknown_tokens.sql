-- Tokens that stations showed and nobody declared: for people to look at, never for rating.
-- `token_uid` is the token's subject id, as everywhere outside of the schema persons.

CREATE TABLE unknown_token (
    token_uid     text NOT NULL,
    station_id    text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    times         bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (token_uid, station_id)
);
