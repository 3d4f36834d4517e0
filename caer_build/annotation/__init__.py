"""Votes: who labels which clip, and what they said. No web page in here."""
