"""Functions for AWS's own runtime client."""

import os


def echo(event, context):
    print("seen", event["n"])
    return {"event": event, "requestId": context.aws_request_id, "trace": os.environ.get("_X_AMZN_TRACE_ID")}


def fail(event, context):
    raise ValueError("boom")


def leave(event, context):
    os._exit(3)
