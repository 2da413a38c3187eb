-- Who paid by transfer, by account or name: what a bank statement says of them is sealed for them.
ALTER TABLE subject DROP CONSTRAINT subject_kind_check;
ALTER TABLE subject ADD CONSTRAINT subject_kind_check
    CHECK (kind IN ('token', 'customer', 'driver', 'station', 'partner', 'secret', 'payer'));
