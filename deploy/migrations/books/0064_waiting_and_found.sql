-- The search finds a document by the beginning of its hash, as people copy it from a page.
CREATE INDEX issued_invoice_sha256 ON issued_invoice (sha256 COLLATE "C");
-- The work list: what is held for one reason, and at some stations alone, however much is held.
CREATE INDEX session_held_reason ON session USING gin (reasons) WHERE state = 'held';
CREATE INDEX session_held_of_station
ON session (station_id, (coalesce(started_at, first_fact_at)), session_id DESC)
WHERE state = 'held';
