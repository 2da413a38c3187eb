-- What each customer's accounts moved by, hour by hour and day by day (UTC), as it was booked: its
-- balance as of a moment costs the days that there were, not the documents
-- (projections/customers/account_sums.py). Documents and money are booked under one lock: nobody
-- waits here who did not wait there.
CREATE TABLE customer_sum (
    customer     text        NOT NULL,
    legal_entity text        NOT NULL,
    currency     text        NOT NULL,
    account      text        NOT NULL CHECK (account IN ('receivable:invoiced', 'prepayments')),
    span         text        NOT NULL CHECK (span IN ('hour', 'day')),
    begins       timestamptz NOT NULL,
    amount_minor numeric     NOT NULL,
    PRIMARY KEY (customer, span, begins, legal_entity, currency, account)
);

CREATE FUNCTION add_to_customer_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO customer_sum AS kept
    SELECT party, legal_entity, currency, account, span, date_trunc(span, booked_at, 'UTC'),
           sum(amount_minor)
    FROM added
    CROSS JOIN unnest(accounts, parties, currencies, amounts)
        WITH ORDINALITY AS leg (account, party, currency, amount_minor, place)
    CROSS JOIN unnest(ARRAY['hour', 'day']) AS span
    -- Of a prepaid balance the first leg says what moved it, as everywhere.
    WHERE accounts && ARRAY['receivable:invoiced', 'prepayments'] AND party <> ''
      AND (account = 'receivable:invoiced' OR (account = 'prepayments' AND place = 1))
    GROUP BY 1, 2, 3, 4, 5, 6
    ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (customer, span, begins, legal_entity, currency, account)
    DO UPDATE SET amount_minor = kept.amount_minor + excluded.amount_minor;
    RETURN NULL;
END;
$$;
CREATE TRIGGER entry_of_customers AFTER INSERT ON journal_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_to_customer_sums();

INSERT INTO customer_sum
SELECT party, legal_entity, currency, account, span, date_trunc(span, booked_at, 'UTC'),
       sum(amount_minor)
FROM journal_entry
CROSS JOIN unnest(accounts, parties, currencies, amounts)
    WITH ORDINALITY AS leg (account, party, currency, amount_minor, place)
CROSS JOIN unnest(ARRAY['hour', 'day']) AS span
WHERE accounts && ARRAY['receivable:invoiced', 'prepayments'] AND party <> ''
  AND (account = 'receivable:invoiced' OR (account = 'prepayments' AND place = 1))
GROUP BY 1, 2, 3, 4, 5, 6;

-- What a partner's account moved by: few entries, found without the customers'.
CREATE INDEX journal_entry_of_partners ON journal_entry (booked_at)
    WHERE accounts @> ARRAY['receivable:partner:invoiced'];

-- What is open of a customer is added up in the index.
CREATE INDEX open_invoice_sums ON open_invoice (customer, legal_entity, currency)
    INCLUDE (open_minor) WHERE customer IS NOT NULL;

-- Where a customer has accounts: from one to the next in the index.
CREATE INDEX issued_invoice_account ON issued_invoice (customer, legal_entity, currency)
    WHERE customer IS NOT NULL;
DROP INDEX issued_invoice_seller;
