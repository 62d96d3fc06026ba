# What a function finds around it. Imports nothing but what Python has loaded anyway.
import sys


def loaded(event, context):
    return sorted(sys.modules)


def paths(event, context):
    return sys.path


def layered(event, context):
    import in_both
    import in_layer
    import in_sdk

    return [in_layer.WHENCE, in_sdk.WHENCE, in_both.WHENCE]


def identity(event, context):
    return [repr(context), context.log_stream_name]


def in_another_process(event, context):
    import concurrent.futures
    import multiprocessing

    workers = concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with workers:
        return workers.submit(abs, -5).result()
