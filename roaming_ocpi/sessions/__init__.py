"""Sessions that go on: told to whose driver it is, with the price so far."""
