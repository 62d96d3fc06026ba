"""Standard output of the worker, in step with its answers."""

import sys


def prepare():
    """A line is visible as soon as it is whole, even if the call never ends, and no character can stop a record."""
    sys.stdout.reconfigure(line_buffering=True, write_through=False, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True, write_through=False)


def say(record):
    """Writes one record of ours."""
    try:
        print(record)
    except (OSError, ValueError):
        # User code closed it, or nobody reads any more: there is no one to tell.
        pass


def flush():
    """All output of a call is in the pipe before its answer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # User code replaced or closed it.
            pass
