-- What a line of the log last said of charging a CDR on to our customer: the reader of partners'
-- messages says it once, and again when a person decides.
ALTER TABLE partner_cdr ADD COLUMN charge_act text CHECK (charge_act IN ('charge', 'take_back'));
