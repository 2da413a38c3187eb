-- What was issued on each day, summed within the transaction that books it, for lists that tell the
-- total of a filter: a million documents are some thousand rows here.
CREATE TABLE issued_sum (
    legal_entity   text    NOT NULL,
    currency       text    NOT NULL,
    issued_on      date    NOT NULL,
    is_credit_note boolean NOT NULL,
    documents      bigint  NOT NULL,
    net_minor      numeric NOT NULL,
    tax_minor      numeric NOT NULL,
    due_minor      numeric NOT NULL,
    PRIMARY KEY (legal_entity, currency, issued_on, is_credit_note)
);
CREATE FUNCTION add_to_issued_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO issued_sum AS kept
    SELECT legal_entity, currency, issued_on, credits IS NOT NULL, count(*),
           sum(net_minor), sum(tax_minor), sum(due_minor)
    FROM added GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (legal_entity, currency, issued_on, is_credit_note) DO UPDATE SET
        documents = kept.documents + excluded.documents,
        net_minor = kept.net_minor + excluded.net_minor,
        tax_minor = kept.tax_minor + excluded.tax_minor,
        due_minor = kept.due_minor + excluded.due_minor;
    RETURN NULL;
END;
$$;
CREATE TRIGGER invoice_is_summed AFTER INSERT ON issued_invoice
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_to_issued_sums();
INSERT INTO issued_sum
SELECT legal_entity, currency, issued_on, credits IS NOT NULL, count(*),
       sum(net_minor), sum(tax_minor), sum(due_minor)
FROM issued_invoice GROUP BY 1, 2, 3, 4;

-- The orders and filters of lists of documents.
CREATE INDEX issued_invoice_legal_entity ON issued_invoice (legal_entity, issued_on, number);
CREATE INDEX issued_invoice_currency ON issued_invoice (currency, issued_on, number);
CREATE INDEX issued_invoice_due ON issued_invoice (due_minor, number);
CREATE INDEX open_invoice_issued ON open_invoice (issued_on, number);
