"""Commands about roaming partners and the CDRs that are exchanged with them."""
