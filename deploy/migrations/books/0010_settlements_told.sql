-- An agreed settlement with a roaming partner is a decision that others hear of: `subject` is its
-- number, `sha256` the hash of what was agreed.
ALTER TABLE feed_entry DROP CONSTRAINT feed_entry_kind_check,
    ADD CONSTRAINT feed_entry_kind_check
    CHECK (kind IN ('issued', 'approved', 'retired', 'prepaid', 'settled'));
