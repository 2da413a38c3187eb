-- What the edge gives to stations: transaction ids by content, and the numbers of connections.

-- The start is random, so that two installations (or one restored from nothing) do not hand out the
-- same ids; from there on ids ascend and stay within OCPP 1.6's positive int32.
CREATE SEQUENCE transaction_number AS integer MINVALUE 1;
SELECT setval('transaction_number', 1 + floor(random() * 1000000000)::bigint);

CREATE TABLE transaction_id (
    transaction_id integer PRIMARY KEY DEFAULT nextval('transaction_number'),
    station_id     text NOT NULL,
    content_key    text NOT NULL CHECK (length(content_key) <= 64),
    assigned_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (station_id, content_key)
);

CREATE TABLE connection_epoch (
    station_id text PRIMARY KEY,
    epoch      bigint NOT NULL CHECK (epoch > 0)
);
