"""The life of a worker, in the order it happens: load the function, then one call after another."""

import os
import sys

from . import output
from .connection import NotAnswered, RuntimeApiGone
from .context import LambdaContext
from .faults import error_result, text_record
from .handler import load_handler
from .imports import AfterImport
from .payload import Encoder, decode_event
from .runtime_api import Dismissed, RuntimeApi


# Of a worker that nobody can take over from whoever started it.
PATIENCE_SECONDS = 2.0


class Worker:
    def __init__(self, environment):
        self._as_json = environment.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        self._level = environment.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
        self._request_id = ""
        self._encoder = Encoder(environment.get("AWS_EXECUTION_ENV"))
        # These two are ours, not the function's.
        token = environment.pop("ESB_WORKER_TOKEN", None)
        patience = float(environment.pop("ESB_LISTENER_PATIENCE_SECONDS", PATIENCE_SECONDS))
        self._api = RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"], token, patience, self._encoder)

    def load(self, handler):
        """The user's function, or the end of this process once the reason is told."""
        AfterImport({"logging": self._set_up_logging, "botocore.session": _teach_endpoints}).install()
        try:
            return load_handler(handler)
        except Exception as error:
            result = error_result(error)
            self._log(result)
            self._tell(self._api.fail_init, result)
            sys.exit(1)

    def serve(self, function):
        while True:
            answer = self._api.next()
            self._request_id = answer.headers["lambda-runtime-aws-request-id"]
            _expose_trace(answer.headers.get("lambda-runtime-trace-id"))
            self._perform(function, answer)

    def _perform(self, function, answer):
        try:
            event = decode_event(answer.body)
            body, content_type = self._encoder.result(function(event, LambdaContext(answer.headers)))
        except Exception as error:
            result = error_result(error, self._request_id)
            self._log(result)
            output.flush()
            self._tell(self._api.fail, self._request_id, result)
        else:
            output.flush()
            self._tell(self._api.respond, self._request_id, body, content_type)

    def _tell(self, post, *arguments):
        """An answer that is refused, or lost with the connection, is over; the next poll decides on the worker."""
        try:
            answer = post(*arguments)
        except NotAnswered as cause:
            output.say(cause)
            return
        if answer.status >= 400:
            told = answer.body.decode("utf-8", "replace")
            output.say("The Runtime API refused an answer with %d: %s" % (answer.status, told))

    def _log(self, result):
        if self._as_json:
            import time

            timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            output.say(self._encoder.encode({"timestamp": timestamp, "level": "ERROR", **result}))
        else:
            output.say(text_record(result))

    def _set_up_logging(self, _module):
        from . import logs

        logs.install(lambda: self._request_id, self._as_json, self._level)


def _teach_endpoints(module):
    from . import endpoints

    endpoints.teach(module)


def _expose_trace(trace):
    """User code finds the trace in its environment, and nothing there when the call has none."""
    if trace is not None:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    elif "_X_AMZN_TRACE_ID" in os.environ:
        del os.environ["_X_AMZN_TRACE_ID"]


def run(environment):
    output.prepare()
    worker = Worker(environment)
    function = worker.load(environment.get("_HANDLER", ""))
    try:
        worker.serve(function)
    except RuntimeApiGone:
        # An orphan: whoever started this worker is gone, and no thread of user code may keep it here.
        os._exit(0)
    except Dismissed as refusal:
        sys.exit(str(refusal))
