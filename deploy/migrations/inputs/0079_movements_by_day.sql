-- Movements are listed by when money moved: of any day, of a kind or of a legal entity, however much
-- moved since.
DROP INDEX movement_happened;
CREATE INDEX movement_happened ON movement (happened_at, number);
DROP INDEX movement_kind;
CREATE INDEX movement_kind ON movement (kind, happened_at, number);
CREATE INDEX movement_entity ON movement (legal_entity, happened_at, number);
