"""What is exchanged with roaming partners: CDRs out and in, pages of lists."""
