"""Cannot be loaded."""

raise LookupError("not today")
