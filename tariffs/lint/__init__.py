"""What is wrong or probably not meant in a tariff, each rule with its reason."""
