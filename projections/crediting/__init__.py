"""What of an invoice somebody chooses to give back or contests, by the lines that people see."""
