# Results that JSON says in more than one way, or not at all.
import decimal
import uuid


def decimals(event, context):
    return {"price": decimal.Decimal("1.10"), "digits": decimal.Decimal("12345678901234567890.123456789")}


def text(event, context):
    return {"text": "grüße"}


def raw(event, context):
    return b"\x00raw"


def nested_bytes(event, context):
    return {"text": "grüße".encode()}


def a_set(event, context):
    return {1, 2}


def ring(event, context):
    ring = []
    ring.append(ring)
    return ring


def half_a_character(event, context):
    return "\ud83d"


async def promised(event, context):
    return 1


class Broken(Exception):
    def __str__(self):
        raise ValueError("no text")


def broken_error(event, context):
    raise Broken()


def interrupted(event, context):
    raise KeyboardInterrupt()


def identified(event, context):
    return uuid.uuid4()
