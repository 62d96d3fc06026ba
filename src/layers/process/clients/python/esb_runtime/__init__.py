"""Runs beside the user's code, so it imports little, and what costs milliseconds only when it is needed."""
