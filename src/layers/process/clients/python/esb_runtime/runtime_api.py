"""The Lambda Runtime API as a client sees it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import sys

from .connection import Connection
from .payload import JSON

VERSION = "/2018-06-01/runtime"


class Dismissed(Exception):
    """The Runtime API does not want this worker any more."""


def header_value(text):
    """One line of printable ASCII, whatever user code called its error."""
    return "".join(each if " " <= each <= "~" else "?" for each in text[:256])


class RuntimeApi:
    def __init__(self, endpoint, token, gone_after_seconds, encoder):
        """`token` proves to our own Runtime API which worker is calling; other ones have none."""
        self._connection = Connection(endpoint, gone_after_seconds)
        self._encoder = encoder
        self._headers = "Host: %s\r\nUser-Agent: esb-python-client/%d.%d.%d\r\n" % ((endpoint,) + sys.version_info[:3])
        if token:
            self._headers += "Esb-Worker-Token: %s\r\n" % header_value(token)
        self._poll = ("GET %s/invocation/next HTTP/1.1\r\n%s\r\n" % (VERSION, self._headers)).encode("ascii")

    def next(self):
        """Waits for the next call. Fails with RuntimeApiGone, or with Dismissed when polling is refused."""
        answer = self._connection.insist(self._poll)
        if answer.status != 200:
            raise Dismissed("the Runtime API answered %d to a poll: %r" % (answer.status, answer.body))
        return answer

    def respond(self, request_id, body, content_type):
        return self._post("/invocation/%s/response" % request_id, body, content_type, "")

    def fail(self, request_id, result):
        return self._post_error("/invocation/%s/error" % request_id, result)

    def fail_init(self, result):
        return self._post_error("/init/error", result)

    def _post_error(self, path, result):
        told = "Lambda-Runtime-Function-Error-Type: %s\r\n" % header_value(result["errorType"])
        # A message may hold half of a surrogate pair, which no UTF-8 can say.
        body = self._encoder.encode(result).encode("utf-8", "replace")
        return self._post(path, body, JSON, told)

    def _post(self, path, body, content_type, headers):
        head = "POST %s%s HTTP/1.1\r\n%s%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (
            VERSION,
            path,
            self._headers,
            headers,
            content_type,
            len(body),
        )
        return self._connection.deliver(head.encode("ascii") + body)
