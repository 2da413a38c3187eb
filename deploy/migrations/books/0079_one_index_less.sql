-- What began when at a station stands in session_newest_of_station too: who asked this one asks that.
DROP INDEX session_begun;
