-- Who is told of our decisions (projections/webhooks): where, of which kinds, since when. The secret
-- that signs is sealed. A row is never deleted: it says who made it and who ended it.
CREATE TABLE webhook (
    id       text        PRIMARY KEY,
    url      text        NOT NULL,
    -- Empty: of every kind.
    kinds    text[]      NOT NULL,
    sealed   text        NOT NULL,
    made_by  text        NOT NULL,
    made_at  timestamptz NOT NULL,
    ended_by text,
    ended_at timestamptz
);
CREATE INDEX webhook_made ON webhook (made_at DESC, id);

-- Each event that a webhook is to be told; told again, it is the same row. What was told is kept a
-- month. `body` is posted as it stands here, whatever is decided since.
CREATE TABLE webhook_delivery (
    number   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook  text        NOT NULL REFERENCES webhook,
    event    text        NOT NULL,
    kind     text        NOT NULL,
    body     bytea       NOT NULL,
    state    text        NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts integer     NOT NULL DEFAULT 0,
    -- Of the attempts since it was to be told (again).
    tries    integer     NOT NULL DEFAULT 0,
    next_at  timestamptz NOT NULL,
    made_at  timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (webhook, event)
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook, next_at, number)
    WHERE state = 'waiting';
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook, number);
CREATE INDEX webhook_delivery_old ON webhook_delivery (ended_at) WHERE state = 'delivered';

-- Each time something was posted: what came of it.
CREATE TABLE webhook_attempt (
    delivery bigint      NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    attempt  integer     NOT NULL,
    at       timestamptz NOT NULL,
    -- Null: nothing came back; `why` says so.
    status   integer,
    why      text        NOT NULL DEFAULT '',
    PRIMARY KEY (delivery, attempt)
);
