"""OCPP 2.1's tariff structure, read and written."""
