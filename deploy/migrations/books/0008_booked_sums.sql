-- What is kept up for who asks, so that no answer takes longer for the days that lie behind.

-- What was booked on each account by hour, day and month (of UTC, by `booked_at`), for who asks for
-- balances. Entries add their hour in their own transaction, as further rows (span `added`), so that
-- nobody waits for anybody. Added rows are put together later, into all three spans at once
-- (projections/balances/booked_sums.py). What counts of a time is one span of it, and what was added.
CREATE TABLE booked_sum (
    span         text        NOT NULL CHECK (span IN ('added', 'hour', 'day', 'month')),
    begins       timestamptz NOT NULL,
    legal_entity text        NOT NULL,
    period       text COLLATE "C" NOT NULL,
    currency     text        NOT NULL,
    account      text        NOT NULL,
    debit_minor  numeric     NOT NULL,
    credit_minor numeric     NOT NULL
);
CREATE UNIQUE INDEX booked_sum_whole
    ON booked_sum (span, begins, legal_entity, period, currency, account) WHERE span <> 'added';
CREATE INDEX booked_sum_begins ON booked_sum (span, begins);

INSERT INTO booked_sum
SELECT span, date_trunc(span, hour, 'UTC'), legal_entity, period, currency, account,
       sum(debit_minor), sum(credit_minor)
FROM booked_hour CROSS JOIN unnest(ARRAY['hour', 'day', 'month']) AS span
GROUP BY 1, 2, 3, 4, 5, 6;

CREATE FUNCTION add_to_booked_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO booked_sum
    SELECT 'added', date_trunc('hour', booked_at, 'UTC'), legal_entity, period, currency, account,
           coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0),
           coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0)
    FROM added, unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
    GROUP BY 2, 3, 4, 5, 6;
    RETURN NULL;
END;
$$;
DROP TRIGGER entry_added ON journal_entry;
CREATE TRIGGER entry_added AFTER INSERT ON journal_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_to_booked_sums();
DROP FUNCTION add_to_booked_hours();
DROP TABLE booked_hour;

-- All days of a station, and its months without those of others.
CREATE TABLE energy_total (
    station_id           text    PRIMARY KEY,
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
    no_invoice_wh        numeric NOT NULL
);
INSERT INTO energy_total
SELECT station_id, sum(days), sum(days_off), sum(metered_wh), sum(billed_wh), sum(free_wh),
       sum(held_for_decision_wh), sum(waiting_wh), sum(open_wh), sum(written_off_wh),
       sum(unattributed_wh), sum(late_wh), sum(dropped_wh), sum(invoiced_wh), sum(no_invoice_wh)
FROM energy_month GROUP BY station_id;
CREATE INDEX energy_month_station ON energy_month (station_id, month);
