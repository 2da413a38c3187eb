"""From a complete session to a decision: terms, price, payer, shared allowances."""
