-- What a customer owes and has no invoice for yet, asked at each start of who pays in advance.
CREATE INDEX uninvoiced_session_of
    ON uninvoiced_session (customer, legal_entity, currency) INCLUDE (gross_minor);
