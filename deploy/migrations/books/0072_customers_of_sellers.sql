-- Whether a legal entity ever billed a customer: asked for each customer that somebody may see.
CREATE INDEX issued_invoice_seller ON issued_invoice (customer, legal_entity)
    WHERE customer IS NOT NULL;
