-- Requests that are done once (deploy/api/conventions/once.py). Both digests are keyed with the
-- token of whoever asked, and the answer is sealed with it and the key: who has the database alone
-- reads none. What was answered is kept for ever.
CREATE TABLE idempotency_key (
    digest     bytea       PRIMARY KEY,
    request    bytea       NOT NULL,
    asked_by   text        NOT NULL,
    begun_at   timestamptz NOT NULL,
    -- What came of it is not known: it failed on our side.
    is_unclear boolean     NOT NULL DEFAULT false,
    status     integer,
    media_type text,
    answer     bytea,
    CHECK ((status IS NULL) = (media_type IS NULL) AND (status IS NULL) = (answer IS NULL))
);
CREATE FUNCTION answered_key_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IS NOT NULL THEN
        RAISE EXCEPTION 'what was answered stays';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER idempotency_key_stays BEFORE UPDATE OR DELETE ON idempotency_key
    FOR EACH ROW EXECUTE FUNCTION answered_key_stays();
CREATE TRIGGER idempotency_key_is_not_emptied BEFORE TRUNCATE ON idempotency_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
