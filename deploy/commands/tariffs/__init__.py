"""`wattledger tariff`: a module for each group of subcommands."""
