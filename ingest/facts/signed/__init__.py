"""What a meter signed: the registers that can be read of it, before persons are cut out of it."""
