-- The key of a proposal names the customer and the reference; whose balance it is of is proposed too.
-- Of what waits now nobody kept it: it is no legal entity's, so nobody agrees with it, and the next
-- one who says it proposes it anew.
ALTER TABLE pay_back_proposal ADD COLUMN legal_entity text NOT NULL DEFAULT '';
ALTER TABLE pay_back_proposal ALTER COLUMN legal_entity DROP DEFAULT;
