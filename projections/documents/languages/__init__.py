"""What documents say in their reader's language: catalogues, numbers, money, days and times."""
