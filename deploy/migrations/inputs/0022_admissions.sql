-- Who was let in and who was refused (ingest/edge/admissions.py). Rows come and go; a replay leaves
-- them alone and nothing follows from them.

-- Keys that were right: a digest under a secret that is kept apart from this database.
CREATE TABLE credential_seen (
    identity text NOT NULL,
    keyed_by text NOT NULL,
    declared bytea NOT NULL,
    digest   bytea NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (identity, keyed_by)
);

-- At most a thousand of each reason: the latest.
CREATE TABLE refused_connection (
    reason   text NOT NULL,
    identity text NOT NULL,
    address  text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    times    bigint NOT NULL CHECK (times > 0),
    PRIMARY KEY (reason, identity, address)
);
CREATE INDEX refused_connection_last ON refused_connection (reason, last_at);

-- All of them, also those whose rows are gone.
CREATE TABLE refusal_count (
    reason text PRIMARY KEY,
    times  bigint NOT NULL CHECK (times > 0)
);
