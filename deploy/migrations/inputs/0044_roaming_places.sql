-- What partners tell us of their places and prices (roaming_ocpi/places). Ids are lower-case here:
-- OCPI's do not know case. Bodies are checked JSON, as bytes: their numbers keep their digits.

-- Tariffs as versions by receipt: a session is priced by the one that we had when it began.
-- `body` is as it came, in `version` of OCPI; null: the partner took the tariff back.
CREATE TABLE partner_tariff (
    party        text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    tariff_id    text        NOT NULL CHECK (length(tariff_id) BETWEEN 1 AND 36),
    number       integer     NOT NULL CHECK (number > 0),
    received_at  timestamptz NOT NULL,
    last_updated timestamptz NOT NULL,
    version      text        NOT NULL,
    body         bytea,
    sha256       bytea,
    deleted      boolean     NOT NULL,
    PRIMARY KEY (party, tariff_id, number),
    CHECK (deleted = (body IS NULL) AND deleted = (sha256 IS NULL))
);
CREATE TRIGGER partner_tariff_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON partner_tariff
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Locations as they stand: their statuses change all the time, and no price depends on them.
-- `body` is a Location of the model (2.3.0) without the tokens that may see it.
CREATE TABLE partner_location (
    party        text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    location_id  text        NOT NULL CHECK (length(location_id) BETWEEN 1 AND 39),
    received_at  timestamptz NOT NULL,
    last_updated timestamptz NOT NULL,
    time_zone    text,
    body         bytea       NOT NULL,
    PRIMARY KEY (party, location_id)
);

-- Who is reached through a hub, as the hub tells it.
CREATE TABLE hub_client (
    hub          text        NOT NULL,
    party        text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    role         text        NOT NULL,
    status       text        NOT NULL,
    received_at  timestamptz NOT NULL,
    last_updated timestamptz NOT NULL,
    body         bytea       NOT NULL,
    PRIMARY KEY (hub, party, role)
);

-- What each partner was last told of our places and prices (roaming_ocpi/places/ours/telling.py): what is
-- otherwise by now is told again. `trouble`: it refused that, and is told when it changes.
CREATE TABLE place_told (
    partner text        NOT NULL,
    kind    text        NOT NULL CHECK (kind IN ('tariff', 'location', 'evse')),
    key     text        NOT NULL,
    sha256  bytea       NOT NULL,
    told_at timestamptz NOT NULL,
    trouble text,
    PRIMARY KEY (partner, kind, key)
);

-- Up to when a partner's lists of places and prices were read (roaming_ocpi/places/pulling.py).
CREATE TABLE place_pulled (
    partner   text        NOT NULL,
    module    text        NOT NULL,
    pulled_at timestamptz NOT NULL,
    refused   integer     NOT NULL,
    -- The first that was refused: where in it, and why.
    trouble   text,
    PRIMARY KEY (partner, module)
);
