"""What if: what a draft of a tariff would have made of months that are in the books."""
