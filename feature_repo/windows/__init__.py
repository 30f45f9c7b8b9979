"""Window specifications, one module a use case; no Feast, so that builds start at once."""
