"""Recipes, the configs of the group `experiment`: which keys they set."""

from __future__ import annotations

from collections.abc import Mapping

from omegaconf import OmegaConf

from nnlab.config.search import options


def blamed(problem: str, chosen: Mapping[str, str], typed: set[str], config_dir: str | None = None) -> str:
    """A problem that begins with a key; if a recipe sets that key for another choice than the user's, this is added.

    chosen  the choices on the command line by group; typed  the keys and groups on it
    """
    key = problem.partition(":")[0]
    group, recipe = key.partition(".")[0], chosen.get("experiment")
    path = options("experiment", config_dir).get(recipe)
    if key in typed or group not in chosen or path is None:
        return problem
    if OmegaConf.select(OmegaConf.load(path), key, default=None) is None:
        return problem
    return f"{problem}; experiment={recipe} sets it for another {group}, so leave out {group}={chosen[group]} or the experiment"
