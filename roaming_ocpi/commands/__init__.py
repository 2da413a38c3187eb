"""Commands: what partners ask of our stations, and what we ask of theirs for our drivers.

A command is answered at once, from what we know: that it may be given, and that its station is
there. What the station makes of it is posted later to the address that came with the command. The
row between the two is durable: after a kill the call is looked for again, and the result posted
until the partner has it or a quarter of an hour is over.

A party commands what is its own: it starts and reserves for its tokens at sites that it may use,
stops and limits sessions of its tokens, unlocks a plug at which one of them charges or just did,
and cancels what it reserved.
"""
