-- Firmware that stations fetch, and the files that they send (ingest/files). Contents lie in chunks:
-- whatever process reaches the database serves them, and its backup has them. Rows come and go; a
-- replay leaves them alone.

CREATE TABLE stored_file (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    begun_at timestamptz NOT NULL DEFAULT now(),
    -- Null while it is coming in.
    size     bigint,
    sha256   bytea,
    ended_at timestamptz,
    CHECK ((size IS NULL) = (sha256 IS NULL) AND (size IS NULL) = (ended_at IS NULL))
);
CREATE INDEX stored_file_coming ON stored_file (begun_at) WHERE size IS NULL;
CREATE INDEX stored_file_ended ON stored_file (ended_at);

CREATE TABLE file_chunk (
    file_id bigint  NOT NULL REFERENCES stored_file ON DELETE CASCADE,
    number  integer NOT NULL,
    content bytea   NOT NULL,
    PRIMARY KEY (file_id, number)
);
-- What comes is packed or signed already.
ALTER TABLE file_chunk ALTER COLUMN content SET STORAGE EXTERNAL;

-- '' fits any vendor, any model.
CREATE TABLE firmware (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version     text        NOT NULL,
    vendor      text        NOT NULL,
    model       text        NOT NULL,
    name        text        NOT NULL,
    file_id     bigint      NOT NULL REFERENCES stored_file,
    certificate text,
    signature   text,
    added_by    text        NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (version, vendor, model),
    CHECK ((certificate IS NULL) = (signature IS NULL))
);

-- One-time addresses: 256 random bits, so their hash needs no salt. The number of one is the request
-- id of the call that tells it.
CREATE TABLE file_address (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest      bytea       NOT NULL UNIQUE,
    station_id  text        NOT NULL,
    -- What the station fetches there; null: it sends files.
    firmware_id bigint REFERENCES firmware ON DELETE CASCADE,
    command_id  uuid        NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL
);
CREATE INDEX file_address_of_station ON file_address (station_id, id);
CREATE INDEX file_address_of_command ON file_address (command_id);
CREATE INDEX file_address_of_firmware ON file_address (firmware_id);
CREATE INDEX file_address_expiry ON file_address (expires_at);

CREATE TABLE station_file (
    file_id    bigint  PRIMARY KEY REFERENCES stored_file ON DELETE CASCADE,
    station_id text    NOT NULL,
    address_id integer NOT NULL,
    name       text    NOT NULL,
    UNIQUE (address_id, name)
);
CREATE INDEX station_file_of_station ON station_file (station_id, file_id);
-- However its id is spelt.
CREATE INDEX station_file_by_name ON station_file (lower(station_id), file_id);
