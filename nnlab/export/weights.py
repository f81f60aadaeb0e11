"""All weights of a model in a safetensors file. With the config beside it, it is enough to build the model again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput, one_line, printable
from nnlab.extras import require
from nnlab.runs.files import write_whole

FILE = "model.safetensors"


def facts_of(target: str, spec: DataSpec, checkpoint: str, step: int) -> dict[str, str]:
    """What an exported file says of its origin: the version of nnlab, the class of the model, its data, checkpoint and step."""
    facts = {"nnlab": version("nnlab"), "model": target, "data": spec.name, "checkpoint": checkpoint, "step": str(step)}
    return {name: printable(value) for name, value in facts.items()}


def write(weights: Mapping[str, Tensor], spec: DataSpec, facts: Mapping[str, str], path: Path) -> int:
    """Write named weights; the header holds the facts and the spec of the data. Returns the bytes. Raises OSError."""
    from safetensors.torch import save

    # clones, since the format refuses two names of one memory
    own = {name: weight.detach().cpu().clone().contiguous() for name, weight in weights.items()}
    content = save(own, {"format": "pt", **facts, "spec": json.dumps(spec.state())})
    write_whole(path, content)
    return len(content)


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, as a checkpoint has it: trainer.model, spec and progress.step; and checkpoint, its name.

    Raises BadInput if the file is damaged, or not of nnlab.
    """
    require(path.name, "export", "safetensors")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        spec, step = json.loads(facts["spec"]), int(facts["step"])
        DataSpec.from_state(spec)
    except KeyError as error:
        raise BadInput(f"{path}: its header has no {error}; it was not written by nnlab export") from error
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise BadInput(f"{path}: cannot be read ({printable(one_line(error))}); export the model again") from error
    return {
        "trainer": {"model": weights},
        "spec": spec,
        "progress": {"step": step},
        "checkpoint": facts.get("checkpoint", "exported"),
    }
