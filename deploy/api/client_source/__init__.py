"""Makes the client's source from the OpenAPI document: `make client`; a test holds them equal."""
