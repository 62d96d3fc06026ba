"""From the handler string to the function. Names and texts of the errors are AWS's."""

import importlib
import sys

from .faults import Fault


def load_handler(handler):
    """`pkg.module.function` or `pkg/module.function`. Fails with a Fault, or with what the module raises itself."""
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % handler,
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % module_name
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as cause:
        message = "Unable to import module '%s': %s" % (module_name, cause)
        raise Fault("Runtime.ImportModuleError", message) from cause
    except SyntaxError as cause:
        where = '  File "%s" Line %s\n    %s' % (cause.filename, cause.lineno, cause.text)
        message = "Syntax error in module '%s': %s" % (module_name, cause)
        raise Fault("Runtime.UserCodeSyntaxError", message, [where]) from cause
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function_name, module_name)
        raise Fault("Runtime.HandlerNotFound", message) from None
