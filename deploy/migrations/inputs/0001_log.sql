-- The event log (docs/event-log.md). Records are added at the end of a partition and stay.

CREATE TABLE log_head (
    partition integer PRIMARY KEY CHECK (partition >= 0),
    next_position bigint NOT NULL DEFAULT 0 CHECK (next_position >= 0)
);
COMMENT ON TABLE log_head IS
    'One row a partition; who holds its lock appends. Their number is fixed when the log is made.';

CREATE TABLE log_batch (
    partition integer NOT NULL REFERENCES log_head,
    position bigint NOT NULL CHECK (position >= 0),
    lines integer NOT NULL CHECK (lines > 0),
    codec text NOT NULL CHECK (codec IN ('json', 'json+zstd')),
    payload bytea NOT NULL,
    producer text,
    sequence bigint CHECK (sequence > 0),
    PRIMARY KEY (partition, position),
    CHECK ((producer IS NULL) = (sequence IS NULL))
);
ALTER TABLE log_batch ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON COLUMN log_batch.payload IS
    'Lines of JSON with line feeds between them; with codec json+zstd compressed by zstd.';

COMMENT ON COLUMN log_batch.sequence IS
    'Ascending for each producer in a partition: a record whose number is not above the last one''s '
    'is there a second time, and readers drop it. Null where nothing is sent twice.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what was recorded stays', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER log_batch_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON log_batch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
