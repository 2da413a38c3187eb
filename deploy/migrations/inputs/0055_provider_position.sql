-- Until when a provider was asked for its events: what webhooks may have lost is asked for from there.
-- It moves once all of a stretch was kept, so that a kill leaves no gap.
CREATE TABLE provider_position (
    provider   text        PRIMARY KEY,
    read_until timestamptz NOT NULL
);
