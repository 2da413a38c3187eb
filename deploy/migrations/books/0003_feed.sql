-- The feed: every decision has a number in its partition, without gaps. Those about sessions stand
-- in their partition of the log, under the worker's lock; all others in partition -1, in the order
-- of their commits: each takes its number under a lock of this row, in its own transaction.
CREATE TABLE feed_head (
    partition   integer PRIMARY KEY CHECK (partition < 0),
    next_number bigint  NOT NULL
);
INSERT INTO feed_head (partition, next_number) VALUES (-1, 1);

-- Decisions that are no session's. `subject` is an invoice's number, a tariff whose version
-- `revision` is, or a prepayment's number; `sha256` the hash of the document, of
-- the tariff's text or of the prepayment.
CREATE TABLE feed_entry (
    partition integer NOT NULL REFERENCES feed_head,
    number    bigint  NOT NULL CHECK (number > 0),
    kind      text    NOT NULL CHECK (
        kind IN ('issued', 'approved', 'retired', 'prepaid')
    ),
    subject   text    NOT NULL,
    revision  integer NOT NULL CHECK (revision > 0),
    sha256    text    NOT NULL,
    PRIMARY KEY (partition, number),
    UNIQUE (kind, subject, revision)
);
CREATE TRIGGER feed_entry_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON feed_entry FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_change();

CREATE VIEW feed AS
SELECT partition, number, kind, session_id AS subject, revision, encode(sha256, 'hex') AS sha256
FROM session_decision
UNION ALL SELECT partition, number, kind, subject, revision, sha256 FROM feed_entry;

-- Where each follower goes on, in each partition.
CREATE TABLE follower_position (
    follower    text    NOT NULL,
    partition   integer NOT NULL,
    next_number bigint  NOT NULL,
    PRIMARY KEY (follower, partition)
);

-- Up to which event of schema decisions the invoices there are booked.
CREATE TABLE booked_position (
    is_only         boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    notification_id bigint  NOT NULL
);
INSERT INTO booked_position (notification_id) VALUES (0);
