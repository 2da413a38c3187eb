-- A driver of a fleet has a subject too: sessions and invoices name the driver by it.
ALTER TABLE subject DROP CONSTRAINT subject_kind_check;
ALTER TABLE subject ADD CONSTRAINT subject_kind_check
    CHECK (kind IN ('token', 'customer', 'driver', 'station', 'partner', 'secret'));
