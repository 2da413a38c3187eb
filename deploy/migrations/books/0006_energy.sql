-- Where every Wh of a station went, by day of its site: kept up by projections/energy, from the facts
-- and decisions above. `wattledger balance --recount` counts all of it anew.

-- What came of a station since it was counted last: added in the transaction of its cause, taken away
-- in that of the count. `position`: from which on facts came; null: facts went or were changed.
-- `session_id`: its state or revision moved, or it came on a document.
CREATE TABLE energy_news (
    station_id text   NOT NULL,
    position   bigint,
    session_id text
);
CREATE INDEX energy_news_station ON energy_news (station_id);
CREATE FUNCTION note_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO energy_news (station_id, position)
    SELECT station_id, min(position) FROM added GROUP BY station_id;
    RETURN NULL;
END;
$$;
CREATE FUNCTION note_changed_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO energy_news (station_id) SELECT DISTINCT station_id FROM changed;
    RETURN NULL;
END;
$$;
CREATE FUNCTION note_moved_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO energy_news (station_id, session_id)
    SELECT added.station_id, added.session_id FROM added JOIN removed USING (session_id)
    WHERE (added.state, added.revision) <> (removed.state, removed.revision);
    RETURN NULL;
END;
$$;
CREATE FUNCTION note_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO energy_news (station_id, session_id)
    SELECT station_id, session_id FROM added JOIN session USING (session_id);
    RETURN NULL;
END;
$$;
CREATE TRIGGER session_invoiced AFTER INSERT ON invoiced_session
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_documents();
CREATE TRIGGER session_credited AFTER INSERT ON credited_session
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_documents();
CREATE TRIGGER fact_added AFTER INSERT ON fact
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_facts();
CREATE TRIGGER fact_changed AFTER UPDATE ON fact
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_facts();
CREATE TRIGGER fact_removed AFTER DELETE ON fact
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_facts();
CREATE TRIGGER session_state_moved AFTER UPDATE ON session
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION note_moved_sessions();
CREATE INDEX fact_since ON fact (station_id, position);

-- As what a station was counted: `traits` are its declared ones, as JSON.
CREATE TABLE energy_station (
    station_id text        PRIMARY KEY,
    traits     text        NOT NULL,
    heard_at   timestamptz NOT NULL
);
-- Up to which version of the declarations every station's traits were looked at.
CREATE TABLE energy_declared (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version bigint  NOT NULL
);
INSERT INTO energy_declared (version) VALUES (0);

-- Its chapters that are settled: what the next one goes on from (projections/energy/carried.py).
CREATE TABLE energy_chapter (
    station_id text        NOT NULL,
    chapter    integer     NOT NULL,
    at         timestamptz NOT NULL,
    position   bigint      NOT NULL,
    carried    bytea       NOT NULL,
    PRIMARY KEY (station_id, chapter)
);
CREATE INDEX energy_chapter_at ON energy_chapter (station_id, at);

-- What the registers of its places rose by, and what sessions and gaps took of that.
CREATE TABLE register_day (
    station_id      text    NOT NULL,
    chapter         integer NOT NULL,
    day             date    NOT NULL,
    metered_wh      numeric NOT NULL,
    taken_wh        numeric NOT NULL,
    unattributed_wh numeric NOT NULL,
    PRIMARY KEY (station_id, chapter, day)
);
CREATE INDEX register_day_day ON register_day (station_id, day);

-- What each session drew, and what became of it (projections/balances/allotted.py).
CREATE TABLE session_energy (
    station_id      text    NOT NULL,
    transaction_ref text    NOT NULL,
    session_id      text    NOT NULL,
    day             date    NOT NULL,
    chapter         integer NOT NULL,
    drawn_wh        numeric NOT NULL,
    shared_wh       numeric NOT NULL,
    -- It has a part of a register with another session, whoever has it first.
    is_shared       boolean NOT NULL,
    -- A register tells of it; false: it was rated, and none does any more.
    is_told         boolean NOT NULL,
    state           text    NOT NULL,
    decided_as      text,
    billed_wh       numeric NOT NULL,
    free_wh         numeric NOT NULL,
    late_wh         numeric NOT NULL,
    invoiced_wh     numeric NOT NULL,
    no_invoice_wh   numeric NOT NULL,
    PRIMARY KEY (station_id, transaction_ref, session_id, day)
);
CREATE INDEX session_energy_chapter ON session_energy (station_id, chapter);
CREATE INDEX session_energy_day ON session_energy (station_id, day);
CREATE INDEX session_energy_unpaid ON session_energy (day, station_id)
    WHERE decided_as IS NULL OR late_wh <> 0 OR free_wh <> 0;

-- The sums of both: a day, and all days of a month.
CREATE TABLE energy_day (
    station_id           text    NOT NULL,
    day                  date    NOT NULL,
    metered_wh           numeric NOT NULL,
    billed_wh            numeric NOT NULL,
    free_wh              numeric NOT NULL,
    held_for_decision_wh numeric NOT NULL,
    waiting_wh           numeric NOT NULL,
    open_wh              numeric NOT NULL,
    written_off_wh       numeric NOT NULL,
    unattributed_wh      numeric NOT NULL,
    late_wh              numeric NOT NULL,
    dropped_wh           numeric NOT NULL,
    invoiced_wh          numeric NOT NULL,
    no_invoice_wh        numeric NOT NULL,
    PRIMARY KEY (station_id, day)
);
CREATE INDEX energy_day_day ON energy_day (day, station_id);
CREATE TABLE energy_month (
    station_id           text    NOT NULL,
    month                date    NOT NULL,
    days                 integer NOT NULL,
    -- So many of them do not add up.
    days_off             integer NOT NULL,
    metered_wh           numeric NOT NULL,
    billed_wh            numeric NOT NULL,
    free_wh              numeric NOT NULL,
    held_for_decision_wh numeric NOT NULL,
    waiting_wh           numeric NOT NULL,
    open_wh              numeric NOT NULL,
    written_off_wh       numeric NOT NULL,
    unattributed_wh      numeric NOT NULL,
    late_wh              numeric NOT NULL,
    dropped_wh           numeric NOT NULL,
    invoiced_wh          numeric NOT NULL,
    no_invoice_wh        numeric NOT NULL,
    PRIMARY KEY (month, station_id)
);
