"""The demo's money: a month's invoices collected by a fake provider and by bank transfer."""
