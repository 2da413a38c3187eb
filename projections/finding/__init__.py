"""Finding sessions, documents, entries and customers by filters, page by page, within a reach.

What pages and operations list is asked for here, so that the same filters find the same. A page
goes on behind a key, never at an offset, and costs the same with any number of rows behind it.
"""
