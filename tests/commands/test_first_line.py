"""What a command imports, and when: a person at a terminal waits for it."""

from __future__ import annotations

import json
import subprocess
import sys

WATCHED = """
import io, json, sys
from nnlab import cli
from nnlab.commands import job

said, out = {}, sys.stdout
sys.stdout = io.StringIO()

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            said["before torch"] = sys.stdout.getvalue()
            said["modules before torch"] = sorted(sys.modules)

def watched(self, step, n, stop):
    said["modules at the first step"] = sorted(sys.modules)
    print(json.dumps(said), file=out)
    raise KeyboardInterrupt

def build(node, *arguments, **more):
    from nnlab.training.gradient import GradientTrainer
    GradientTrainer.train = watched
    return run(node, *arguments, **more)

sys.meta_path.insert(0, Watch())
run, job.run = job.run, build
cli.main(["train", "model=vae", "data=digits"])
"""


def test_a_command_answers_before_torch_and_reaches_the_first_step_without_what_it_does_not_need() -> None:
    """Imports stand for time: torch's compiler and scikit-learn take two seconds each, matplotlib and torchvision one."""
    done = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert said["before torch"].splitlines() == ["nnlab 0.1.0: model=vae data=digits"]
    assert not {"numpy", "rich", "PIL"} & set(said["modules before torch"])
    loaded = set(said["modules at the first step"])
    assert "torch" in loaded
    assert not {"torchvision", "matplotlib", "sklearn", "scipy", "torch._dynamo", "sympy", "pandas"} & loaded
