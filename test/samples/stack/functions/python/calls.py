def echo(event, context):
    print("echo", event)
    return {"event": event, "requestId": context.aws_request_id}
