"""Functions that say where they are."""

import os
import sys


def echo(event, context):
    return event


def where(event, context):
    return {"directory": os.getcwd(), "path": sys.path, "version": "%d.%d" % sys.version_info[:2]}


def greet(event, context):
    # Only a layer has it.
    import greeting

    return greeting.hello(event["name"])
