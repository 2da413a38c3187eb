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

CREATE TABLE moved_log (
    store text NOT NULL CHECK (store IN ('postgres', 'kafka')),
    topic text CHECK ((topic IS NULL) = (store = 'postgres')),
    moved_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX moved_log_is_one ON moved_log ((true));
COMMENT ON TABLE moved_log IS
    'Where the event log is since it was copied (ledger/log/moving.py). No row: never copied.';

-- The last word against whoever still has the old settings, on whatever machine.
CREATE FUNCTION refuse_append_to_copied_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its_topic text;
BEGIN
    SELECT topic INTO its_topic FROM moved_log WHERE store = 'kafka';
    IF FOUND AND current_setting('wattledger.copies_log', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'the event log was copied to Kafka and goes on there: '
            'set log = "kafka" and kafka_topic = "%"', its_topic
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER log_head_is_in_use BEFORE UPDATE ON log_head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_append_to_copied_log();
