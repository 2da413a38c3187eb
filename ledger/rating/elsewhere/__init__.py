"""What our customers pay for what they charged at partners' stations."""
