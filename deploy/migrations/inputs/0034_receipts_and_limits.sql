-- The receipt numbers that payment terminals were given (ingest/receipts.py): one for each
-- payment, by what its terminal said of it. A replay leaves them alone.

-- The start is random, as that of transaction ids: two installations do not hand out the same.
CREATE SEQUENCE receipt_number MINVALUE 1;
SELECT setval('receipt_number', 1 + floor(random() * 1000000000)::bigint);

CREATE TABLE receipt (
    number          bigint PRIMARY KEY DEFAULT nextval('receipt_number'),
    station_id      text NOT NULL,
    content_key     text NOT NULL,
    transaction_ref text NOT NULL,
    given_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (station_id, content_key)
);

-- How many bytes of a message a station takes (null: not known), beside how many items.
ALTER TABLE station_setting
ADD COLUMN bytes_get integer CHECK (bytes_get > 0),
ADD COLUMN bytes_set integer CHECK (bytes_set > 0);
