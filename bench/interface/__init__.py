"""The HTTP interface and the console's pages, with a served process and a database of their own."""
