"""A report of runs: one HTML page that needs no other file, no network and no nnlab. Imports no torch.

page.page            the page of one run, or of several side by side
facts.read           what a page needs from a run folder
charts.charts        learning curves as SVG, with their values for the page's script
pictures.within      pictures that fit into a page
words.WORDS          the page's own words, by language
markup.element       HTML in which every text is escaped
"""
