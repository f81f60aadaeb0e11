"""Packages that come with an extra of nnlab, and that not everyone has."""

from __future__ import annotations

from importlib.util import find_spec

from nnlab.errors import BadInput


def require(place: str, extra: str, *modules: str) -> None:
    """Raise BadInput, with the command that installs the extra, if one of its modules is missing.

    place  what needs them, as a user types it
    """
    missing = [module for module in modules if not installed(module)]
    if missing:
        names = ", ".join(missing)
        raise BadInput(f"{place}: {names} {'is' if len(missing) == 1 else 'are'} not installed; pip install 'nnlab[{extra}]'")


def installed(module: str) -> bool:
    """Whether a package is installed. A folder of that name in the current folder is none: W&B and MLflow make such folders."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):  # the package that should hold it is missing, or it was taken away
        return False
    return spec is not None and spec.origin is not None
