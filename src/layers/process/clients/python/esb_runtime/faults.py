"""How a failure of user code is told: AWS's error object and the record in the log."""

import os

HERE = os.path.dirname(os.path.abspath(__file__))

# Leading blanks would be cut off by a log viewer.
NO_BREAK_SPACE = "\u00a0"


class Fault(Exception):
    """A failure that the runtime itself recognises, under the name AWS gives it."""

    def __init__(self, error_type, message, trace=()):
        super().__init__(message)
        self.error_type = error_type
        self.trace = list(trace)


def _is_ours(frame):
    return frame.filename.startswith(HERE)


def _trace_of(error):
    """One string per frame of user code. Ours, which come first, say nothing to its author."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    while len(frames) > 0 and _is_ours(frames[0]):
        frames = frames[1:]
    return traceback.format_list([(each.filename, each.lineno, each.name, each.line) for each in frames])


def _message_of(error):
    try:
        return str(error)
    except Exception:
        # Its own `__str__` is broken, which must not hide that it was raised.
        return "<exception str() failed>"


def error_result(error, request_id=""):
    """The body of `POST …/error` and of `POST …/init/error`."""
    if isinstance(error, Fault):
        error_type, trace = error.error_type, error.trace
    else:
        error_type, trace = type(error).__name__, _trace_of(error)
    return {"errorMessage": _message_of(error), "errorType": error_type, "requestId": request_id, "stackTrace": trace}


def _indented(line):
    text = line.lstrip(" ")
    return NO_BREAK_SPACE * (len(line) - len(text)) + text


def text_record(result):
    """One record, whose line breaks are `\\r`, as AWS writes it to standard output."""
    told = ": ".join(each for each in (result["errorType"], result["errorMessage"]) if each)
    lines = ["[ERROR] " + told, "Traceback (most recent call last):"]
    for frame in result["stackTrace"]:
        lines += [_indented(line) for line in frame.splitlines()]
    return "\r".join(lines).replace("\n", "\r")
