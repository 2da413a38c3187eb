"""CDRs told to partners: in their version, with their driver named, fetched or sent."""
