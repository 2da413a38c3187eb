-- EVSEs of partners' Locations as rows of their own (roaming_ocpi/places/partner_locations.py): what
-- one says of its status costs the same in a Location of any size.

-- `evse_uid` is lower-case; `number` is its place in the Location, from 1; `body` an EVSE of the model.
CREATE TABLE partner_evse (
    party       text    NOT NULL,
    location_id text    NOT NULL,
    evse_uid    text    NOT NULL,
    number      integer NOT NULL CHECK (number > 0),
    connectors  integer NOT NULL,
    body        bytea   NOT NULL,
    PRIMARY KEY (party, location_id, evse_uid)
) WITH (fillfactor = 80);

-- An array is taken apart as text, so that every number keeps its digits. A path names no uid of
-- more than 39 characters, and lower() of what is not ASCII hangs on the locale: such a one keeps
-- its case, and is found when its Location is told again.
INSERT INTO partner_evse (party, location_id, evse_uid, number, connectors, body)
SELECT party, location_id,
    CASE WHEN uid ~ '^[ -~]{0,255}$' THEN lower(uid)
        ELSE left(uid, 255) || CASE WHEN length(uid) > 255 THEN md5(uid) ELSE '' END END,
    number, connectors, convert_to(evse::text, 'UTF8')
FROM partner_location, LATERAL (
    SELECT convert_from(body, 'UTF8')::json -> 'evses' AS evses
) AS told, LATERAL (
    SELECT evse, number, evse ->> 'uid' AS uid, CASE json_typeof(evse -> 'connectors')
        WHEN 'array' THEN json_array_length(evse -> 'connectors') ELSE 1 END AS connectors
    FROM json_array_elements(CASE json_typeof(evses)
        WHEN 'array' THEN evses WHEN 'object' THEN json_build_array(evses) ELSE '[]' END)
        WITH ORDINALITY AS each (evse, number)
) AS part;

-- `body` is the Location without its EVSEs; `updated` when it was updated last, as it was said: a
-- part moves it, and `body` stays. `evses`, `connectors` and `bytes` are those of all of it.
ALTER TABLE partner_location
    ADD COLUMN updated    text    NOT NULL DEFAULT '',
    ADD COLUMN evses      integer NOT NULL DEFAULT 0,
    ADD COLUMN connectors integer NOT NULL DEFAULT 0,
    ADD COLUMN bytes      bigint  NOT NULL DEFAULT 0;
UPDATE partner_location SET updated = convert_from(body, 'UTF8')::json ->> 'last_updated',
    body = convert_to('{' || (
        SELECT string_agg(to_json(key)::text || ':' ||
            CASE WHEN key = 'evses' AND json_typeof(value) IN ('array', 'object') THEN '[]'
                ELSE value::text END,
            ',' ORDER BY number)
        FROM json_each(convert_from(body, 'UTF8')::json) WITH ORDINALITY AS each (key, value, number)
    ) || '}', 'UTF8');
UPDATE partner_location AS place SET evses = sums.evses, connectors = sums.connectors,
    bytes = length(place.body) + sums.bytes
FROM (
    SELECT party, location_id, count(number) AS evses, coalesce(sum(part.connectors), 0) AS connectors,
        coalesce(sum(length(part.body)), 0) AS bytes
    FROM partner_location LEFT JOIN partner_evse AS part USING (party, location_id)
    GROUP BY party, location_id
) AS sums
WHERE (place.party, place.location_id) = (sums.party, sums.location_id);
ALTER TABLE partner_location ALTER COLUMN updated DROP DEFAULT, ALTER COLUMN evses DROP DEFAULT,
    ALTER COLUMN connectors DROP DEFAULT, ALTER COLUMN bytes DROP DEFAULT;

UPDATE told_count SET counted = sums.bytes
FROM (SELECT party, sum(bytes) AS bytes FROM partner_location GROUP BY party) AS sums
WHERE told_count.party = sums.party AND bound = 'location_bytes';
