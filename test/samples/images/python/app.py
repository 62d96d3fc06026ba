"""One function for images, which does what its event says."""

import os
import time


def tell(event, context):
    client = context.client_context
    return {
        "requestId": context.aws_request_id,
        "remainingMs": context.get_remaining_time_in_millis(),
        "client": None if client is None else {"custom": client.custom},
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "runtimeApi": os.environ.get("AWS_LAMBDA_RUNTIME_API"),
        "user": os.getuid(),
    }


def echo(event, context):
    return event["event"]


def fail(event, context):
    raise TypeError("boom")


def leave(event, context):
    os._exit(event["code"])


def hang(event, context):
    time.sleep(600)


DEEDS = {"tell": tell, "echo": echo, "fail": fail, "exit": leave, "hang": hang}


def handler(event, context):
    return DEEDS[event["do"]](event, context)
