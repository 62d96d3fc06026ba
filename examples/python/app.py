import json

# `words` comes from the layer; see ../shared.
import words


def handler(event, context):
    """Counts the words of a request's body, or of `{"text": ...}`."""
    is_route = "httpMethod" in event
    text = event.get("body") or "" if is_route else event["text"]
    counted = words.count(text)
    print(f"{sum(counted.values())} words")
    if not is_route:
        return counted
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(counted),
    }
