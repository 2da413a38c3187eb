"""The week of a tariff, as the kernel would bill it: text, HTML and a plot."""
