"""OCPP's envelope: CALL, CALLRESULT and CALLERROR as text, and exact fields of a payload."""
