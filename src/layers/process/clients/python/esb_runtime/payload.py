"""Events and results as JSON, the way AWS's client reads and writes them."""

import json

from .faults import Fault

JSON = "application/json"

# Until Python 3.11 AWS escapes what is not ASCII.
ESCAPING = {"AWS_Lambda_python3." + minor for minor in ("8", "9", "10", "11")}


def decode_event(body):
    try:
        return json.loads(body)
    except ValueError as cause:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % cause) from cause


class Encoder:
    """Numbers of `decimal` keep every digit, and bytes within a result are UTF-8 text."""

    def __init__(self, execution_environment):
        self._ascii = execution_environment in ESCAPING
        self._mark = None

    def encode(self, value):
        text = json.dumps(value, ensure_ascii=self._ascii, default=self._default)
        return text if self._mark is None else self._unmarked(text)

    def result(self, value):
        """A handler's result as bytes, and their content type."""
        if isinstance(value, bytes):
            return value, "application/unknown"
        try:
            return self.encode(value).encode("utf-8"), JSON
        except Exception as cause:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % cause) from cause

    def _default(self, value):
        if isinstance(value, (bytes, bytearray)):
            return value.decode("utf-8")
        # Whoever made a Decimal has loaded its module.
        if type(value).__name__ == "Decimal" and hasattr(value, "is_nan"):
            return float("nan") if value.is_nan() else self._marked(str(value))
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    def _marked(self, number):
        """`json` writes no digits that it did not compute, so they travel as a string that nobody else can write."""
        if self._mark is None:
            import uuid

            self._mark = uuid.uuid4().hex
        return self._mark + number

    def _unmarked(self, text):
        import re

        return re.sub('"%s([^"]*)"' % self._mark, r"\1", text)
