-- Every call of a partner, and every one of ours to it (roaming_ocpi/server/audit.py): rows come and
-- go after `calls_kept_days`. No token, no body, and of the path, in which a driver's token may
-- stand, its template and a digest under the partner's own key (persons): erasing that makes the
-- digest nobody's.
CREATE TABLE roaming_call (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    direction   text        NOT NULL CHECK (direction IN ('in', 'out')),
    -- Null: who asked is nobody's partner.
    partner     text,
    method      text        NOT NULL,
    template    text        NOT NULL,
    target_hmac bytea,
    version     text,
    module      text,
    http        integer,
    status_code integer,
    ms          integer     NOT NULL,
    request_id  text        NOT NULL,
    trouble     text
);
CREATE INDEX roaming_call_at ON roaming_call (at);
CREATE INDEX roaming_call_of ON roaming_call (partner, at);
