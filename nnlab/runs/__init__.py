"""The run folder: its format, safe files, and how runs are found and compared. Imports no torch.

folder.RunFolder   one run's files
find.resolve       a run by its path, or `last`
find.find          all runs below a folder
files.write_whole  the only way to write a file
sweep.compared     the jobs of a sweep in a table
search.table       the trials of a search in a table
"""
