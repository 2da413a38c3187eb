-- Master data as declared: every change is kept with the time from which it holds.
-- `body` is canonical JSON text (null: withdrawn), so that its bytes are what was hashed and read.

CREATE TABLE declaration (
    version     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text        NOT NULL,
    key         text        NOT NULL,
    valid_from  timestamptz NOT NULL,
    body        text        NOT NULL,
    declared_at timestamptz NOT NULL,
    declared_by text        NOT NULL
);

CREATE FUNCTION declaration_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'declarations are append-only: declare the new state instead';
END;
$$;

CREATE TRIGGER declaration_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON declaration
    FOR EACH STATEMENT EXECUTE FUNCTION declaration_refuses_change();
