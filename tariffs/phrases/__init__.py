"""Codes with parameters, of which words are made when somebody reads them."""
