"""Speed and memory compared with peers. One file per benchmark, with a docstring about what is measured and
`run(rounds)`, which returns its results as Markdown; shared code is in `measure.py`.
"""
