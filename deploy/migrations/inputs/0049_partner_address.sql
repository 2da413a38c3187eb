-- Where partners reach us, as it was served last (deploy/roaming/addresses.py): what is told to them
-- where no setting says it, for a port that was taken is not the one that the settings name.
CREATE TABLE partner_address (
    is_only   boolean     PRIMARY KEY DEFAULT true CHECK (is_only),
    address   text        NOT NULL,
    served_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
