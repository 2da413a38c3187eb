-- Money that moved is a decision that others hear of: `subject` is the movement's number, `sha256`
-- the hash of the movement.
ALTER TABLE feed_entry DROP CONSTRAINT feed_entry_kind_check,
    ADD CONSTRAINT feed_entry_kind_check
    CHECK (kind IN ('issued', 'approved', 'retired', 'prepaid', 'settled', 'moved'));
