"""From a logged frame to facts, per OCPP version. Pure, and never raises."""
