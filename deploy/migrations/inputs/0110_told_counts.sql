-- How much each partner told of each kind (ledger/partners/told_counts.py): counted as it is told, so
-- that a bound costs one row whatever there is. `day`: of which day it is counted, null: of all days.
CREATE TABLE told_count (
    party      text        NOT NULL CHECK (party ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    bound      text        NOT NULL,
    day        date,
    counted    bigint      NOT NULL DEFAULT 0,
    refused    bigint      NOT NULL DEFAULT 0,
    refused_at timestamptz,
    PRIMARY KEY (party, bound)
) WITH (fillfactor = 50);

-- What was told before there were bounds.
INSERT INTO told_count (party, bound, counted)
SELECT party, 'tariffs', count(DISTINCT tariff_id) FROM partner_tariff GROUP BY party
UNION ALL
SELECT party, 'tokens', count(DISTINCT subject) FROM partner_token GROUP BY party;

INSERT INTO told_count (party, bound, counted)
WITH place AS (
    SELECT party, length(body) AS bytes, convert_from(body, 'UTF8')::jsonb AS body
    FROM partner_location
), sums AS (
    SELECT place.party, count(*) AS locations, sum(bytes) AS bytes, coalesce(sum(
            CASE jsonb_typeof(body -> 'evses') WHEN 'array'
            THEN jsonb_array_length(body -> 'evses') ELSE 0 END), 0) AS evses,
        coalesce(sum((
            SELECT count(*) FROM jsonb_path_query(body, 'lax $.evses[*].connectors[*]')
        )), 0) AS connectors
    FROM place GROUP BY place.party
)
SELECT party, told.bound, told.counted FROM sums, LATERAL (
    VALUES ('locations', locations), ('location_bytes', bytes), ('evses', evses),
        ('connectors', connectors)
) AS told (bound, counted);

-- That a partner told a tariff again without a change: no version, but what is older came late.
CREATE TABLE partner_tariff_again (
    party        text        NOT NULL,
    tariff_id    text        NOT NULL,
    last_updated timestamptz NOT NULL,
    PRIMARY KEY (party, tariff_id)
);
