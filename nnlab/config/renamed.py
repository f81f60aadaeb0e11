"""What older versions called otherwise. Run folders of before are read by their new names. No torch."""

from __future__ import annotations

from typing import Any

WITHOUT_EFFECT = {  # keys that did nothing, by the class that no longer takes them
    "nnlab.families.rbm.options.ContrastiveOptions": {"compile"},
    "nnlab.families.rbm.options.StackedContrastiveOptions": {"compile"},
    "nnlab.families.rbm.options.SettlingOptions": {"compile"},
}


def upgraded(node: Any) -> Any:
    """A config, or a part of one, as this version would have written it."""
    if isinstance(node, list):
        return [upgraded(part) for part in node]
    if not isinstance(node, dict):
        return node
    target = node.get("_target_")
    gone = WITHOUT_EFFECT.get(target, ()) if isinstance(target, str) else ()
    return {key: upgraded(value) for key, value in node.items() if key not in gone}
