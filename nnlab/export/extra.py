"""The packages of the extra `nnlab[export]`, which not everyone has."""

from __future__ import annotations

from importlib.util import find_spec

from nnlab.errors import BadInput

WEIGHTS = ("safetensors",)
ONNX = ("onnx", "onnxscript", "onnxruntime")


def require(*packages: str) -> None:
    """Raise BadInput, with the command that installs them, if any of these packages is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise BadInput(f"export: needs {', '.join(missing)}; install with: pip install 'nnlab[export]'")
