"""Taxes: percentages, stacked ones, sales taxes by name and those per kWh."""
