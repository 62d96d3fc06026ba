"""Adapts modules that user code may import, once it does: a function that needs none of them pays nothing."""

import sys


class AfterImport:
    """Finds nothing itself; calls `actions[name]` with the module of that name as soon as it is loaded."""

    def __init__(self, actions):
        self._actions = actions

    def install(self):
        for name in [each for each in self._actions if each in sys.modules]:
            self._actions.pop(name)(sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        action = self._actions.get(name)
        if action is None:
            return None
        spec = self._spec_of_others(name, path, target)
        # A loader that is a class serves many modules, so it is left alone; those of files are made for one.
        if spec is None or spec.loader is None or isinstance(spec.loader, type):
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            if self._actions.pop(name, None) is not None:
                action(module)

        spec.loader.exec_module = exec_module
        return spec

    def _spec_of_others(self, name, path, target):
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
        return None
