"""Read models out: invoices, energy balance, trial balance, lineage."""
