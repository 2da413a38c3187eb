-- What a person looks at again and again on a page of the console: the filter in its address.
CREATE TABLE saved_view (
    name     text        NOT NULL REFERENCES user_account,
    screen   text        NOT NULL,
    title    text        NOT NULL CHECK (length(title) BETWEEN 1 AND 60),
    query    text        NOT NULL CHECK (length(query) <= 2000),
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (name, screen, title)
);

-- What one person wants to give back of an invoice that is above what one may alone: until another
-- says the same. `parts`: of which sessions, which revision and lines (canonical JSON).
CREATE TABLE credit_proposal (
    invoice     text        PRIMARY KEY,
    parts       bytea       NOT NULL,
    reason      text        NOT NULL,
    currency    text        NOT NULL,
    due_minor   bigint      NOT NULL,
    proposed_by text        NOT NULL,
    proposed_at timestamptz NOT NULL
);
