-- What a partner says of its tokens beyond whether they may charge (ledger/partners/tokens.py): the
-- whole object as it was told, sealed with the subject's key, for PATCH and GET.
ALTER TABLE partner_token
    ADD COLUMN object       text CHECK (length(object) <= 12000),
    ADD COLUMN last_updated timestamptz;

-- How far we know a partner's list of tokens (ledger/partners/token_lists.py): a row changes.
CREATE TABLE partner_token_list (
    party     text        PRIMARY KEY CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    -- Up to this moment nothing is missing of what the partner says; null: never known.
    fresh_at  timestamptz,
    -- When the last list, and the last whole one, was asked for that came to its end.
    listed_at timestamptz,
    full_at   timestamptz,
    tried_at  timestamptz,
    -- Of the last list: its tokens, those refused, those that were in it no more.
    tokens    bigint      NOT NULL DEFAULT 0,
    refused   bigint      NOT NULL DEFAULT 0,
    gone      bigint      NOT NULL DEFAULT 0,
    -- The first refusals: where, whose (a subject id), why; no value of a token.
    refusals  jsonb       NOT NULL DEFAULT '[]',
    -- Why the last try came to no end; '': it did.
    problem   text        NOT NULL DEFAULT ''
);

-- What partners ask of our stations (roaming_ocpi/commands), and the results that we owe them.
--   asked     answered ACCEPTED; the station is called, and what came of it is waited for
--   owed      the result is known, and on its way to the address that the partner gave
--   posted    the partner has it; dropped: it could not be told in time
CREATE TABLE partner_command (
    id          uuid        PRIMARY KEY,
    party       text        NOT NULL,
    version     text        NOT NULL,
    kind        text        NOT NULL,
    station_id  text        NOT NULL,
    evse_id     integer,
    -- Whose token it is for, and what the partner calls its permission.
    subject     text,
    reference   text,
    -- What is asked for, with the address for the result, sealed for `sealed_for`.
    request     text        NOT NULL,
    sealed_for  text        NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz NOT NULL,
    state       text        NOT NULL DEFAULT 'asked' CHECK (
        state IN ('asked', 'owed', 'posted', 'dropped')
    ),
    result      jsonb,
    attempts    integer     NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason      text        NOT NULL DEFAULT ''
);
CREATE INDEX partner_command_due ON partner_command (next_at)
    WHERE state IN ('asked', 'owed');
CREATE INDEX partner_command_start ON partner_command (subject, station_id, asked_at)
    WHERE kind = 'START_SESSION';
CREATE INDEX partner_command_old ON partner_command (asked_at);

-- Which number a station knows a partner's reservation by.
CREATE TABLE partner_reservation (
    party          text        NOT NULL,
    reservation_id text        NOT NULL,
    station_id     text        NOT NULL,
    number         bigint      NOT NULL,
    asked_at       timestamptz NOT NULL,
    PRIMARY KEY (party, reservation_id)
);

-- What we ask of partners' stations for our drivers, and what came of it.
CREATE TABLE asked_command (
    id         uuid        PRIMARY KEY,
    party      text        NOT NULL,
    kind       text        NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What it answered at once, and what it told later.
    answer     text,
    result     text,
    result_at  timestamptz
);
CREATE INDEX asked_command_old ON asked_command (asked_at);
