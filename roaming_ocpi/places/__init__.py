"""Where one can charge and for how much: locations and tariffs, both ways."""
