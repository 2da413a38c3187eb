"""A tariff written as the YAML that reads back the same."""
