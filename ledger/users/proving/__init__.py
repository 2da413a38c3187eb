"""How somebody proves to be who they are: passwords, second factors, links; guesses are slowed."""
