-- Firmware for many stations, in stages (ingest/campaigns): all that a campaign knows stands here, so a
-- process that takes over goes on with it.

CREATE TABLE firmware_campaign (
    id               integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text        NOT NULL UNIQUE,
    firmware_id      bigint      NOT NULL REFERENCES firmware,
    is_plain         boolean     NOT NULL,
    state            text        NOT NULL DEFAULT 'running' CHECK (
        state IN ('running', 'paused', 'stopped', 'cancelled', 'done')
    ),
    -- The last one whose stations may be asked.
    stage            integer     NOT NULL DEFAULT 1,
    -- Of the stations in the stages that were opened: how many per cent may not fail; so many failures
    -- a person took note of.
    failures_percent numeric     NOT NULL CHECK (failures_percent BETWEEN 0 AND 100),
    failures_noted   integer     NOT NULL DEFAULT 0,
    tries            integer     NOT NULL CHECK (tries > 0),
    at_once          integer     NOT NULL CHECK (at_once > 0),
    heard_within     interval    NOT NULL,
    -- Hours of the day at the station's site in which it is asked.
    begins           time,
    ends             time,
    made_by          text        NOT NULL,
    made_at          timestamptz NOT NULL,
    changed_by       text        NOT NULL,
    changed_at       timestamptz NOT NULL,
    CHECK ((begins IS NULL) = (ends IS NULL))
);
CREATE INDEX firmware_campaign_running ON firmware_campaign (id) WHERE state = 'running';
CREATE INDEX firmware_campaign_firmware ON firmware_campaign (firmware_id);

CREATE TABLE campaign_station (
    campaign_id integer     NOT NULL REFERENCES firmware_campaign,
    station_id  text        NOT NULL,
    stage       integer     NOT NULL,
    number      integer     NOT NULL,
    vendor      text        NOT NULL,
    model       text        NOT NULL,
    time_zone   text        NOT NULL,
    state       text        NOT NULL DEFAULT 'waiting' CHECK (
        state IN ('waiting', 'asked', 'done', 'failed')
    ),
    tries       integer     NOT NULL DEFAULT 0,
    -- The call by which it was asked last; its addresses name it too.
    command_id  uuid,
    asked_at    timestamptz,
    not_before  timestamptz,
    ended_at    timestamptz,
    -- What it said, or why it failed.
    status      text,
    PRIMARY KEY (campaign_id, station_id),
    CHECK (state <> 'asked' OR (command_id IS NOT NULL AND asked_at IS NOT NULL))
);
-- No station is asked by two campaigns at once.
CREATE UNIQUE INDEX campaign_station_asked ON campaign_station (station_id) WHERE state = 'asked';
CREATE INDEX campaign_station_call ON campaign_station (command_id) WHERE state = 'asked';
CREATE INDEX campaign_station_waiting ON campaign_station (campaign_id, stage, number)
WHERE state = 'waiting';
