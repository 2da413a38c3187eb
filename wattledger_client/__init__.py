"""A typed client of Wattledger's HTTP interface.

    with Client("http://127.0.0.1:8080", token) as client:
        for session in client.every(client.list_sessions, site="harbour"):
            print(session.ref, session.cost)

`shapes.py` and `operations.py` are made from the OpenAPI document: `make client`.
"""

from wattledger_client.calling import ApiProblemError
from wattledger_client.client import Client

__all__ = ["ApiProblemError", "Client"]
