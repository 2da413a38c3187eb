-- What a person wants attested of a session's stop, until another one says the same.
ALTER TABLE choice_proposal ADD COLUMN attested jsonb;
