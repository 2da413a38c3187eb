"""Energy balances kept up as facts and decisions come, and what of the energy was not billed."""
