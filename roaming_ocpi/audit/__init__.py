"""Partners' tariffs and CDRs from files, priced and compared."""
