"""What a config may say: names, values and defaults are checked before anything is built.

names.check                 the names in a command line, without torch
composition.compose_config  the config that Hydra composes of checked overrides
spaces.check                which values a search tries of which keys
values.check                the values of a composed config, by the signatures of the classes that it names
build.build                 an object from a node
constraints.AtLeast         ranges, as annotations of constructor parameters
reasons.reasons             the comment next to each value in the YAML files
renamed.upgraded            a config of an older version under today's names
glossary.glossary           what each metric means
"""
