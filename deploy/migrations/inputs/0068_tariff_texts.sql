-- The file that each version of a tariff was published or proposed as, with its comments and golden
-- examples: a declaration has only what it says. Kept once; of two files that say the same, the first.
CREATE TABLE tariff_text (
    -- The hash of what it says, as the declaration has it.
    version text        PRIMARY KEY,
    text    text        NOT NULL CHECK (octet_length(text) <= 4000000),
    kept_by text        NOT NULL,
    kept_at timestamptz NOT NULL
);
CREATE TRIGGER tariff_text_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON tariff_text
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Lists of tariffs and assignments as of a moment, page by page (projections/terms).
CREATE INDEX declaration_of_terms ON declaration (kind, key, valid_from DESC, version DESC)
    WHERE kind IN ('tariff', 'assignment');
-- Assignments by what they name: a key is "token_group=staff,site=harbour".
CREATE INDEX declaration_of_sides ON declaration USING gin (string_to_array(key, ','))
    WHERE kind = 'assignment';
CREATE INDEX declaration_of_assigned ON declaration ((body::jsonb ->> 'tariff'), key)
    WHERE kind = 'assignment';
