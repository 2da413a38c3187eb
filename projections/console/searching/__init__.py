"""The one search field: leads to what is named, or lists what may be meant."""
