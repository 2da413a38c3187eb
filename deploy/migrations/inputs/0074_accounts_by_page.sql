-- What somebody's own tokens in force are, page by page, however many were revoked.
CREATE INDEX access_token_in_force ON access_token (person, name) WHERE revoked_at IS NULL;
-- Who has a role of a legal entity: whoever governs that one alone sees these.
CREATE INDEX user_grant_of ON user_grant (legal_entity, name) WHERE legal_entity <> '';
-- Webhooks that are told; those that ended are kept, too.
CREATE INDEX webhook_in_force ON webhook (id) WHERE ended_at IS NULL;
-- The policy, and a station as it holds at a moment, without what else is declared.
CREATE INDEX declaration_of_policy ON declaration (version) WHERE kind = 'policy';
CREATE INDEX declaration_of_stations ON declaration (key, valid_from DESC, version DESC)
    WHERE kind = 'station';
