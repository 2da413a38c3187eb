"""Webhooks: our decisions, told to addresses that others chose, signed and until they are taken.

    feed of decisions -> following: what each webhook is to be told, as rows, in order
                      -> deliverer: posted, again and again, every attempt on record

A receiver takes an event that it has already (`webhook-id`) for done: a kill repeats, and loses
nothing. Told again, an event has the id and the body that it had.
"""
