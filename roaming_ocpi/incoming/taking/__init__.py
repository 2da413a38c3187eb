"""Taking in: what partners push and what we fetch, durable before anybody hears so."""
