-- A customer's documents as its time line has them, and which of its tokens' sessions were corrected.
CREATE INDEX issued_invoice_of ON issued_invoice (customer, issued_at) WHERE customer IS NOT NULL;
CREATE INDEX session_corrected_of_token ON session (token_uid) WHERE revision > 1;
