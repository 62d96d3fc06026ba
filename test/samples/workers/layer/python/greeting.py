"""A module of a layer."""


def hello(name):
    return "hello " + name
