"""The one HTTP interface: who may use it, how it says no, and the routes that every edge brings."""
