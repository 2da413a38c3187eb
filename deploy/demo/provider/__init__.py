"""A payment provider that is not one: Stripe's endpoints that we use, over HTTP, with faults.

Nothing of it is Stripe's code; how it behaves is as Stripe's API reference and its pages on testing
say (docs.stripe.com/api, docs.stripe.com/testing).
"""
