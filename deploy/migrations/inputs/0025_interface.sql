-- What the interface keeps of stations beside their declarations (ingest/station_records.py,
-- ingest/commands). A replay leaves all of it alone.

-- The start is random, as that of transaction ids: two installations do not hand out the same.
CREATE SEQUENCE reservation_number AS integer MINVALUE 1;
SELECT setval('reservation_number', 1 + floor(random() * 1000000000)::bigint);

-- A row for each ReserveNow that was asked for; it is a reservation once it was accepted. It stays
-- where its call is cleared.
CREATE TABLE reservation (
    command_id uuid PRIMARY KEY,
    station_id text        NOT NULL,
    id         bigint      NOT NULL,
    evse       bigint,
    expires_at timestamptz,
    status     text        NOT NULL DEFAULT 'ASKED' CHECK (
        status IN ('ASKED', 'ACCEPTED', 'CANCELLED', 'USED', 'EXPIRED')
    ),
    asked_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX reservation_numbered ON reservation (id, station_id, asked_at);
CREATE INDEX reservation_latest ON reservation (asked_at, command_id);
CREATE INDEX reservation_of_station ON reservation (station_id, asked_at, command_id);

-- How a station is registered: what its next boot is answered, what its last one was, and how many
-- items it takes in one message (null: not known).
CREATE TABLE station_setting (
    station_id      text PRIMARY KEY,
    boot            text NOT NULL DEFAULT 'Accepted' CHECK (boot IN ('Accepted', 'Pending', 'Rejected')),
    told            text NOT NULL DEFAULT 'Accepted' CHECK (told IN ('Accepted', 'Pending', 'Rejected')),
    boot_interval_s integer CHECK (boot_interval_s > 0),
    items_get       integer CHECK (items_get > 0),
    items_set       integer CHECK (items_set > 0)
);

-- Passwords given to a station since its declaration, as hashes; the newest is that of the highest
-- number. Once another password is declared they hold no more.
CREATE TABLE station_password (
    number        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    station_id    text NOT NULL,
    declared_hash text,
    hash          text NOT NULL,
    -- The call that tells it to the station; the row stays where that is cleared.
    command_id    uuid UNIQUE,
    -- told: on its way, or nobody knows; accepted: by the station; proven: it was used, or is what
    -- the station has to use.
    state         text NOT NULL CHECK (state IN ('told', 'accepted', 'proven')),
    given_by      text NOT NULL,
    given_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX station_password_of ON station_password (station_id, number);

CREATE TABLE charging_profile (
    name    text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    -- As it was given: members in their order, numbers as written.
    profile text NOT NULL,
    put_by  text NOT NULL,
    put_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
