-- What of money at a provider nobody knows what it is for, kept as its movements come: who looks for
-- it asks these rows alone, however much was explained before. `number`: the movement that brought
-- it, or says that some is missing. What banks' statements show is kept in `unmatched_line`.
CREATE TABLE unmatched_money (
    number       bigint      PRIMARY KEY REFERENCES movement,
    source       text        NOT NULL,
    legal_entity text        NOT NULL,
    currency     text        NOT NULL,
    happened_at  timestamptz NOT NULL,
    left_minor   bigint      NOT NULL
);
CREATE INDEX unmatched_money_since ON unmatched_money (happened_at, number);

-- The movement that one is about: of a `matched` one the first, of which it says what it was for.
CREATE FUNCTION unmatched_of(moved movement) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN moved.kind <> 'matched' THEN moved.number
        WHEN moved.about ~ '^movement:[0-9]{1,18}$' THEN substr(moved.about, 10)::bigint
        ELSE (SELECT number FROM movement
              WHERE source = moved.source AND kind = 'banked' AND reference = moved.about) END
$$;

CREATE FUNCTION keep_unmatched_money() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved movement;
BEGIN
    SELECT * INTO moved FROM movement WHERE number = new.number;
    IF moved.source LIKE 'bank:%' OR unmatched_of(moved) IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO unmatched_money AS kept
    SELECT number, source, legal_entity, currency, happened_at, new.minor
    FROM movement WHERE number = unmatched_of(moved)
    ON CONFLICT (number) DO UPDATE SET left_minor = kept.left_minor + excluded.left_minor;
    DELETE FROM unmatched_money WHERE number = unmatched_of(moved) AND left_minor = 0;
    RETURN NULL;
END
$$;
CREATE TRIGGER unmatched_money_comes AFTER INSERT ON allotment FOR EACH ROW
    WHEN (new.account = 'cash:unmatched') EXECUTE FUNCTION keep_unmatched_money();

INSERT INTO unmatched_money
SELECT first.number, first.source, first.legal_entity, first.currency, first.happened_at,
    sum(told.minor)::bigint
FROM allotment AS told JOIN movement AS moved USING (number)
JOIN movement AS first ON first.number = unmatched_of(moved)
WHERE told.account = 'cash:unmatched' AND moved.source NOT LIKE 'bank:%'
GROUP BY first.number HAVING sum(told.minor) <> 0;

-- Who looks for the few movements of a kind goes through no others.
CREATE INDEX movement_kind ON movement (kind, number);
