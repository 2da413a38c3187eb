-- The file that each version of a tariff was published or proposed as, with its comments and golden
-- examples: a declaration has only what it says. Kept once; of two files that say the same, the first.
CREATE TABLE tariff_text (
    -- The hash of what it says, as the declaration has it.
    version text        PRIMARY KEY,
    text    text        NOT NULL CHECK (octet_length(text) <= 16000000),
    kept_by text        NOT NULL,
    kept_at timestamptz NOT NULL
);
CREATE TRIGGER tariff_text_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON tariff_text
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Lists of tariffs and assignments as of a moment, page by page (projections/terms).
CREATE INDEX declaration_of_terms ON declaration (kind, key, valid_from DESC, version DESC)
    WHERE kind IN ('tariff', 'assignment');
-- Assignments by each of what they name, in the order of their keys: one site may have a million.
CREATE INDEX declaration_of_assigned ON declaration ((body::jsonb ->> 'tariff'), key)
    WHERE kind = 'assignment' AND (body::jsonb ->> 'tariff') IS NOT NULL;
CREATE INDEX declaration_of_site_terms ON declaration ((body::jsonb ->> 'site'), key)
    WHERE kind = 'assignment' AND (body::jsonb ->> 'site') IS NOT NULL;
CREATE INDEX declaration_of_station_terms ON declaration ((body::jsonb ->> 'station'), key)
    WHERE kind = 'assignment' AND (body::jsonb ->> 'station') IS NOT NULL;
CREATE INDEX declaration_of_group_terms ON declaration (lower(body::jsonb ->> 'token_group'), key)
    WHERE kind = 'assignment' AND lower(body::jsonb ->> 'token_group') IS NOT NULL;
CREATE INDEX declaration_of_partner_terms ON declaration ((body::jsonb ->> 'partner'), key)
    WHERE kind = 'assignment' AND (body::jsonb ->> 'partner') IS NOT NULL;
CREATE INDEX declaration_of_token_terms ON declaration ((body::jsonb ->> 'token'), key)
    WHERE kind = 'assignment' AND (body::jsonb ->> 'token') IS NOT NULL;
