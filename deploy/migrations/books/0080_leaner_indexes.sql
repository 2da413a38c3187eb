-- What took room in indexes without finding anything sooner.

-- All sessions by when they began: those of one moment are few, and sorted by their ids as they are
-- read. (Of one station or token the server would rather sort all that there is.)
DROP INDEX session_newest;
CREATE INDEX session_newest ON session ((coalesce(started_at, first_fact_at)) DESC);

-- One index for two: a revision is held as often as records say so, and decided for good once.
ALTER TABLE session_decision
DROP CONSTRAINT session_decision_pkey,
DROP CONSTRAINT session_decision_partition_number_key,
ADD CONSTRAINT session_decision_pkey PRIMARY KEY (partition, number);
DROP INDEX session_decision_final;
CREATE UNIQUE INDEX session_decision_final
ON session_decision (session_id, revision, (CASE kind WHEN 'held' THEN position ELSE -1 END));

-- What is a part of the key may stand there once for all that are alike, what is included may not.
DROP INDEX uninvoiced_session_of;
CREATE INDEX uninvoiced_session_of
ON uninvoiced_session (customer, legal_entity, currency, gross_minor);
