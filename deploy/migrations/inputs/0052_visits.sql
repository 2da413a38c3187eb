-- Visits (ledger/payments/visits): drivers without contract who pay at one of our stations. What was
-- wanted, and each step that it took, are never changed; how it stands now is one row beside them.
-- `token_uid` is the subject id of a token that is drawn for the visit alone; `secret_digest` what is
-- kept of the secret by which its driver may look at it. `amount_minor` is put aside before the start.
CREATE TABLE visit (
    number        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider      text        NOT NULL,
    legal_entity  text        NOT NULL,
    station_id    text        NOT NULL,
    evse_id       integer     NOT NULL CHECK (evse_id > 0),
    token_uid     text        NOT NULL UNIQUE,
    secret_digest bytea       NOT NULL,
    currency      text        NOT NULL,
    amount_minor  bigint      NOT NULL CHECK (amount_minor > 0),
    -- What an hour and a kWh of the likely session are, and the tariff's hash: why so much.
    tariff        text        NOT NULL,
    wanted_at     timestamptz NOT NULL,
    wanted_by     text        NOT NULL
);
CREATE TRIGGER visit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON visit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE visit_step (
    number   bigint      NOT NULL REFERENCES visit,
    place    integer     NOT NULL CHECK (place > 0),
    state    text        NOT NULL,
    reason   text        NOT NULL DEFAULT '',
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (number, place)
);
CREATE TRIGGER visit_step_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON visit_step
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- `place` is that of the last step: who moves a visit on says from where, or does nothing.
-- `until`: when whoever it waits for is waited for no more. `held_minor`: what can be taken, 0 once
-- it is taken, let go or lost. `call_id` is that of the call that starts it, `called` what came of
-- it; `shown_at`: its station began with its token.
CREATE TABLE visit_state (
    number     bigint      PRIMARY KEY REFERENCES visit,
    state      text        NOT NULL CHECK (state IN (
        'wanted', 'holding', 'held', 'starting', 'charging', 'ended', 'capturing', 'captured',
        'releasing', 'released', 'failed'
    )),
    place      integer     NOT NULL DEFAULT 1,
    reason     text        NOT NULL DEFAULT '',
    station_id text        NOT NULL,
    evse_id    integer     NOT NULL,
    until      timestamptz,
    intent_id  text,
    held_minor bigint      NOT NULL DEFAULT 0,
    held_at    timestamptz,
    call_id    uuid,
    called     text,
    shown_at   timestamptz,
    taken_minor bigint     NOT NULL DEFAULT 0
);
CREATE INDEX visit_state_live ON visit_state (number)
    WHERE state NOT IN ('captured', 'released', 'failed');
-- One driver charges at an EVSE.
CREATE UNIQUE INDEX visit_state_charging ON visit_state (station_id, evse_id)
    WHERE state IN ('starting', 'charging');
