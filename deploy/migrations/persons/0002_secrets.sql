-- Passwords that a station is told are sealed in the log and in calls as what persons are told by;
-- their key opens them for the station alone.
ALTER TABLE subject DROP CONSTRAINT subject_kind_check;
ALTER TABLE subject ADD CONSTRAINT subject_kind_check
    CHECK (kind IN ('token', 'customer', 'station', 'partner', 'secret'));
