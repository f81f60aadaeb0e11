"""Speed and memory side by side with peers. One file a benchmark, with a docstring that says what is measured and
`run(rounds)`, which gives its results as Markdown; whatever is only shared stands in `measure.py`.
"""
