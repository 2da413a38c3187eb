"""A simulated fleet: charging stations and cars that know nothing of Wattledger but its port."""
