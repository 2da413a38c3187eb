-- Persons: the only tables that name one, and the only ones whose rows are deleted. Everything else
-- (log, declarations, books, documents) knows a person by the subject id alone.
-- Whoever deletes a row of `subject` erases that person: what was sealed with its key stays shut.
-- Back this schema up apart from the others, and keep its copies for a short time only.

CREATE TABLE subject (
    -- Random: it tells nothing, and the same token shown again after an erasure is somebody new.
    subject text PRIMARY KEY CHECK (length(subject) <= 64),
    kind    text NOT NULL CHECK (kind IN ('token', 'customer', 'station', 'partner')),
    -- A token as tokens are compared, a customer's key, a station or partner whose unread texts it
    -- holds.
    name    text NOT NULL CHECK (length(name) <= 200),
    -- A token as it stands on the wire.
    spelt   text NOT NULL CHECK (length(spelt) <= 255),
    key     bytea NOT NULL CHECK (length(key) = 64),
    made_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, name)
);

-- Names, addresses and e-mail of customers, as declarations refer to them.
CREATE TABLE blob (
    blob    text PRIMARY KEY CHECK (length(blob) <= 64),
    subject text NOT NULL REFERENCES subject ON DELETE CASCADE,
    sealed  text NOT NULL
);
CREATE INDEX blob_subject ON blob (subject);
