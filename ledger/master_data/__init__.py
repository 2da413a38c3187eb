"""What people declare: who sells, where, to whom, under which tariff and policy."""
