"""One training run from its config: checked, built, carried out, opened again.

checks.check       problems of a whole config
run.build_experiment       everything that a config names, built
run.run_experiment      trains to the end and leaves the run folder complete
loading.open_run   a run opened again
objectives.objectives   what a search makes better
study.Study        the trials of a search, by Optuna
judging.with_judge   the classifier that `judge=auto` trains once per dataset
"""
