-- Who looks for movements of some days, or for what nobody knows what it is for, asks those rows alone.
CREATE INDEX movement_happened ON movement (happened_at);
CREATE INDEX allotment_unmatched ON allotment (number) WHERE account = 'cash:unmatched';
CREATE INDEX movement_reference ON movement (reference);
