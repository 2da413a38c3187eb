-- Documents that are due and cannot be issued, as whoever issues them found out: rows come and go.
-- `since` is a time of the log, `declared_version` the master data that was looked at last.
CREATE TABLE refused_document (
    cause            text        PRIMARY KEY,
    why              text        NOT NULL,
    since            timestamptz NOT NULL,
    declared_version bigint      NOT NULL
);
