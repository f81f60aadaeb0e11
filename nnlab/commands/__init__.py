"""The verbs of the command line, one per file.

verbs.VERBS   all verbs, one line each
"""
