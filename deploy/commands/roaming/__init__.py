"""The commands about roaming partners and their CDRs."""
