# What both clients are asked to do in the same words; see node/common.js.
import os
import sys
import time


def echo(event, context):
    return event


def nothing(event, context):
    pass


def context(event, context):
    client_context = context.client_context
    return {
        "requestId": context.aws_request_id,
        "functionName": context.function_name,
        "version": context.function_version,
        "memory": context.memory_limit_in_mb,
        "logGroup": context.log_group_name,
        "logStream": context.log_stream_name,
        "arn": context.invoked_function_arn,
        "remainingMs": context.get_remaining_time_in_millis(),
        "custom": client_context and client_context.custom,
        "env": client_context and client_context.env,
        "appTitle": client_context and client_context.client.app_title,
        "identityId": context.identity.cognito_identity_id,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "token": os.environ.get("ESB_WORKER_TOKEN"),
        "patience": os.environ.get("ESB_LISTENER_PATIENCE_SECONDS"),
    }


def throws(event, context):
    raise TypeError(event["error_msg"])


def oddError(event, context):
    raise type("Naïve\r\nX-Injected: 1", (Exception,), {})("odd")


def exits(event, context):
    sys.exit(event["code"])


def sleeps(event, context):
    time.sleep(event["ms"] / 1000)
    return "slept"


def repeats(event, context):
    return "ü" * event["times"]


def prints(event, context):
    for line in range(1, event["lines"] + 1):
        print("line %d" % line)
    print("and a rest", end="")
