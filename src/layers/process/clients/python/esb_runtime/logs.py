"""The root handler of `logging`, as functions on AWS find it. Loaded when user code imports `logging`.

Text is `[LEVEL]\\t<ISO time>Z\\t<request id>\\t<message>` with `\\r` for line breaks within a record.
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

import json
import logging
import sys
import time

TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"

# What every record has; the rest was given as `extra`.
STANDARD_FIELDS = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id"}


class _JsonFormatter(logging.Formatter):
    def format(self, record):
        fields = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id,
        }
        if record.exc_info:
            fields.update(self._exception(record))
        for name, value in vars(record).items():
            if name not in STANDARD_FIELDS:
                fields.setdefault(name, value)
        return json.dumps(fields, ensure_ascii=False, default=str)

    @staticmethod
    def _exception(record):
        import traceback

        kind, error, trace = record.exc_info
        return {
            "stackTrace": traceback.format_tb(trace),
            "errorType": getattr(kind, "__name__", None),
            "errorMessage": str(error),
            "location": "%s:%s:%s" % (record.pathname, record.funcName, record.lineno),
        }


class _StandardOutput(logging.Handler):
    def __init__(self, request_id):
        """`request_id` tells the call in flight."""
        super().__init__()
        self._request_id = request_id

    def emit(self, record):
        record.aws_request_id = self._request_id()
        sys.stdout.write(self.format(record).replace("\n", "\r") + "\n")


def install(request_id, as_json, level):
    """Gives the root logger its handler; `level` is AWS_LAMBDA_LOG_LEVEL, or nothing."""
    logging.Formatter.converter = time.gmtime
    handler = _StandardOutput(request_id)
    handler.setFormatter(_JsonFormatter() if as_json else logging.Formatter(TEXT, "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    name = "DEBUG" if level == "TRACE" else "CRITICAL" if level == "FATAL" else level
    if name in ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"):
        root.setLevel(name)
