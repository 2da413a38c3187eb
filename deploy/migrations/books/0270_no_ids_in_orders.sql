-- A session's id is long, and stood in each of these for the order of what began, or drew, the very
-- same: few of a station or a token, and then the server sorts them as it reads.
DROP INDEX session_newest_of_station;
CREATE INDEX session_newest_of_station
ON session (station_id, (coalesce(started_at, first_fact_at)) DESC);
DROP INDEX session_newest_of_token;
CREATE INDEX session_newest_of_token
ON session (token_uid, (coalesce(started_at, first_fact_at)) DESC);
DROP INDEX session_newest_of_state;
CREATE INDEX session_newest_of_state
ON session (state, (coalesce(started_at, first_fact_at)) DESC) WHERE state <> 'rated';
