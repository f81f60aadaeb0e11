"""The shipped configs; installed as the package `nnlab.configs`."""
