-- Where what is settled was charged, as its CDR says it, where VAT hangs on that (ledger/settlements).
ALTER TABLE settled_cdr ADD COLUMN country text;
