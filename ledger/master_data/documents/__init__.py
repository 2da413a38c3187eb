"""What master data has for documents: bank codes, electronic addresses, logos, and their checks."""
