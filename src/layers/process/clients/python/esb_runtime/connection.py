"""The one connection of a worker: HTTP/1.1 over a socket, one exchange at a time.

`http.client` would load an e-mail parser and TLS, which takes longer than the start of Python itself.
"""

import _socket
import time

RETRY_EVERY_SECONDS = 0.1
# A listener is near: what takes longer is nobody's address for the moment, and tried again.
CONNECT_WITHIN_SECONDS = 1.0

# A client context may be several KiB; whoever sends more than this is not a Runtime API.
MAX_HEAD_BYTES = 1024 * 1024
READ_BYTES = 64 * 1024


class RuntimeApiGone(Exception):
    """Nobody has listened for longer than the worker was to wait."""


class NotAnswered(Exception):
    """The connection broke after the request was sent, and the other side is known to have been there."""


class Broken(Exception):
    """The connection could not be made or did not last; `stood` says for how many seconds it had."""

    def __init__(self, cause, stood):
        super().__init__(str(cause))
        self.stood = stood


class Answer:
    """Header names are in lower case; values are UTF-8, since a client context travels as JSON in a header."""

    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body


class Connection:
    def __init__(self, endpoint, gone_after_seconds):
        """A listener that was restarted is back within `gone_after_seconds`; after them the worker is an orphan."""
        self._gone_after_seconds = gone_after_seconds
        host, _, port = endpoint.rpartition(":")
        self._address = (host, int(port))
        self._socket = None
        self._connected_at = 0.0
        self._input = b""

    def insist(self, request):
        """Sends a request again and again until it is answered. Fails with RuntimeApiGone."""
        failing_since = None
        while True:
            reused = self._socket is not None
            try:
                return self._exchange(request)
            except Broken as cause:
                now = time.monotonic()
                if failing_since is None or cause.stood >= self._gone_after_seconds:
                    failing_since = now
                if now - failing_since >= self._gone_after_seconds:
                    raise RuntimeApiGone("nobody listens at the Runtime API") from cause
                # An idle connection may be closed by the other side at any time; only a fresh one proves trouble.
                if not reused:
                    time.sleep(RETRY_EVERY_SECONDS)

    def deliver(self, request):
        """Sends a request, over a second connection when the one at hand had been closed meanwhile.

        A repetition does no harm, since the Runtime API takes one answer per call. Fails with NotAnswered.
        """
        reused = self._socket is not None
        try:
            return self._exchange(request)
        except Broken as cause:
            if reused:
                return self.deliver(request)
            raise NotAnswered("the Runtime API closed the connection without an answer") from cause

    def _exchange(self, request):
        stood_since = None
        try:
            if self._socket is None:
                self._connect()
            stood_since = self._connected_at
            self._socket.sendall(request)
            answer = self._read_answer()
        except (OSError, ValueError) as cause:
            self._close()
            stood = 0.0 if stood_since is None else time.monotonic() - stood_since
            raise Broken(cause, stood) from cause
        if answer.headers.get("connection", "").lower() == "close":
            self._close()
        return answer

    def _connect(self):
        connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        try:
            connection.settimeout(CONNECT_WITHIN_SECONDS)
            connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            connection.connect(self._address)
            # User code may have set a default timeout, which a poll must outlive.
            connection.settimeout(None)
        except BaseException:
            connection.close()
            raise
        self._socket = connection
        self._connected_at = time.monotonic()
        self._input = b""

    def _close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read_answer(self):
        status, headers = self._read_head()
        while status < 200:
            status, headers = self._read_head()
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return Answer(status, headers, self._read_chunks())
        length = headers.get("content-length", "0" if status == 204 else None)
        if length is None:
            raise ValueError("an HTTP answer without a length")
        return Answer(status, headers, self._read_exactly(int(length)))

    def _read_head(self):
        lines = self._read_until(b"\r\n\r\n").decode("utf-8", "replace").split("\r\n")
        protocol, _, rest = lines[0].partition(" ")
        if not protocol.startswith("HTTP/1."):
            raise ValueError("not an HTTP answer: " + lines[0][:80])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(rest[:3]), headers

    def _read_chunks(self):
        pieces = []
        while True:
            size = int(self._read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            pieces.append(self._read_exactly(size))
            self._read_until(b"\r\n")
        while self._read_until(b"\r\n"):
            pass
        return b"".join(pieces)

    def _read_until(self, delimiter):
        while True:
            before, found, after = self._input.partition(delimiter)
            if found:
                self._input = after
                return before
            if len(self._input) > MAX_HEAD_BYTES:
                raise ValueError("an HTTP line of more than %d bytes" % MAX_HEAD_BYTES)
            self._input += self._receive()

    def _read_exactly(self, size):
        if len(self._input) >= size:
            taken, self._input = self._input[:size], self._input[size:]
            return taken
        pieces = [self._input]
        missing = size - len(self._input)
        while missing > 0:
            piece = self._receive()
            pieces.append(piece[:missing])
            self._input = piece[missing:]
            missing -= len(piece)
        return b"".join(pieces)

    def _receive(self):
        piece = self._socket.recv(READ_BYTES)
        if not piece:
            raise OSError("the Runtime API closed the connection")
        return piece
