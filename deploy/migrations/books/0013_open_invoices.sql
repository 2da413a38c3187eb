-- What is open: the invoices that are not paid to the cent, so that who collects, reminds, matches or
-- looks asks no more rows than there is work. Made from the books alone, within each transaction that
-- changes how an invoice stands (ledger/books/open_invoices.py); below 0 is to be given back.
-- `due_on`: from which day on it is to be paid: that of its terms, else its own. `account` and
-- `party` are where its receivable stands.
ALTER TABLE issued_invoice ADD COLUMN due_on date;
CREATE TABLE open_invoice (
    number       text   PRIMARY KEY REFERENCES issued_invoice,
    legal_entity text   NOT NULL,
    customer     text,
    party        text   NOT NULL,
    account      text   NOT NULL,
    currency     text   NOT NULL,
    issued_on    date   NOT NULL,
    due_on       date   NOT NULL,
    open_minor   bigint NOT NULL CHECK (open_minor <> 0)
);
CREATE INDEX open_invoice_customer ON open_invoice (customer, legal_entity, number)
    WHERE customer IS NOT NULL;
CREATE INDEX open_invoice_due ON open_invoice (due_on, number) WHERE open_minor > 0;
CREATE INDEX open_invoice_to_give_back ON open_invoice (number) WHERE open_minor < 0;
CREATE INDEX open_invoice_amount ON open_invoice (legal_entity, currency, open_minor);
