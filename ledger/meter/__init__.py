"""A session's energy from register readings: series, evidence, checks, the measure."""
