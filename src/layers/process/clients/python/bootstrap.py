"""The runtime client for Python: polls the Lambda Runtime API named by AWS_LAMBDA_RUNTIME_API and runs the function
named by _HANDLER. Runs on Python 3.8 and later, on the standard library alone, beside the user's code.
"""

import os
import sys


def main():
    here = os.path.dirname(os.path.realpath(__file__))
    # Ours is loaded whole before the task root takes its place: no module of a function can come between.
    if sys.path[:1] != [here]:
        sys.path.insert(0, here)
    from esb_runtime import worker

    sys.path[0] = os.environ.get("LAMBDA_TASK_ROOT") or os.getcwd()
    worker.run(os.environ)


# A process that user code starts with `multiprocessing` loads this file again, under another name.
if __name__ == "__main__":
    main()
