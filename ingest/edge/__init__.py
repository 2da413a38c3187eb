"""The sockets: who may connect, one live connection a station, a line for each frame, ticks."""
