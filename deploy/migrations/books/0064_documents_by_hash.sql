-- The search finds a document by the beginning of its hash, as people copy it from a page.
CREATE INDEX issued_invoice_sha256 ON issued_invoice (sha256 COLLATE "C");
