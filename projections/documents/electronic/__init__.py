"""Documents as machines read them: EN 16931 as CII and UBL, and its official rules.

`cii_writer.cii`, `ubl_writer.ubl` and `tax_categories.is_electronic`; `official.validator`.
"""
