-- What is told of roaming without reading all of it (deploy/roaming/condition.py).

-- Since when a message waits, by the database's clock; one that is put again was put first.
ALTER TABLE outgoing ADD COLUMN put_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX outgoing_open ON outgoing (party, put_at) WHERE state <> 'dead';

-- Calls of partners and ours to them, counted as they are heard (roaming_ocpi/server/call_counts.py):
-- also those of a flood, of which no row is kept, and those whose rows were let go.
CREATE TABLE roaming_call_count (
    direction text   NOT NULL CHECK (direction IN ('in', 'out')),
    -- '': of no module.
    module    text   NOT NULL,
    outcome   text   NOT NULL,
    calls     bigint NOT NULL,
    PRIMARY KEY (direction, module, outcome)
) WITH (fillfactor = 50);
