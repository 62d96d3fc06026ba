# Everything that writes a record.
import logging
import sys

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def texts(event, context):
    print("printed\nas it is")
    logger.debug("not asked for")
    logger.info("hello %s", "world")
    logging.getLogger("some.library").warning("two\nlines")
    try:
        {}["key"]
    except KeyError:
        logger.exception("caught")
    print("to stderr", file=sys.stderr)


def extras(event, context):
    logger.info({"a": "dictionary"}, extra={"order": 7, "odd": object})
    logger.error("boom")
    try:
        {}["key"]
    except KeyError:
        logger.exception("caught")


def fails(event, context):
    raise ValueError("first line\nsecond line")


def fails_oddly(event, context):
    raise ValueError("half of \ud83d")


def closes(event, context):
    sys.stdout.close()
    raise ValueError("silent")
