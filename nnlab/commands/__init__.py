"""The verbs of the command line, one per file.

verbs.VERBS   all of them, a line each
"""
