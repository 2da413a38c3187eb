"""CDRs of ours: made once from a rated session, priced again before they go, frozen."""
