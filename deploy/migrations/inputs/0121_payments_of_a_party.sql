-- A customer's payments and disputes are listed by when they happened, however many there are: what
-- is somebody's stands by party and moment.
ALTER TABLE allotment DISABLE TRIGGER allotment_stays;
ALTER TABLE allotment ADD COLUMN moved_at timestamptz;
UPDATE allotment SET moved_at = movement.happened_at FROM movement
WHERE movement.number = allotment.number;
ALTER TABLE allotment ADD CONSTRAINT allotment_happened
    CHECK (party = '' OR moved_at IS NOT NULL);
ALTER TABLE allotment ENABLE TRIGGER allotment_stays;
DROP INDEX allotment_party;
CREATE INDEX allotment_party ON allotment (party, moved_at DESC, number) WHERE party <> '';
CREATE INDEX prepayment_received ON prepayment (customer, received_at DESC);
-- Whose payment it is that was taken back: as the movement says by which it had come.
ALTER TABLE dispute ADD COLUMN payer text NOT NULL DEFAULT '';
UPDATE dispute SET payer = paid.party FROM (
    SELECT number, min(party) AS party FROM allotment WHERE party <> '' GROUP BY number
) AS paid WHERE paid.number = dispute.received;
CREATE INDEX dispute_of_payer ON dispute (payer, created_at DESC) WHERE payer <> '';
