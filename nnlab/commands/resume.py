"""nnlab resume: go on in the same folder, to the same bits as if nothing had happened."""

from __future__ import annotations

from nnlab.commands.arguments import add_checkpoint, parser
from nnlab.errors import BadInput, NnlabError

CHANGEABLE = ("trainer.epochs", "trainer.steps", "trainer.early_stopping", "device", "tags")
CADENCES = ("log", "evaluate", "show", "save", "keep")


def main(argv: list[str]) -> int:
    made = parser(
        "resume",
        "Go on with a run that was stopped, or train it longer, in the same folder.",
        "resume last",
        "resume outputs/vae/fashion_mnist/2026-01-31_12-00-00-000000 trainer.epochs=40",
    )
    made.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="a new length, cadence, device or tags")
    add_checkpoint(made, "last")
    asked = made.parse_intermixed_args(argv)

    from nnlab.config import values
    from nnlab.experiment import assemble, carry_out, write_config
    from nnlab.loading import checked_config
    from nnlab.recording.console import Console
    from nnlab.runs.find import resolve
    from nnlab.training import checkpoint

    folder = resolve(asked.run)
    before = checked_config(folder)
    status = folder.read_status()
    if status.get("status") == "running":
        raise BadInput(f"{folder.path}: still running, as process {status['process']['pid']} on {status['host']}")
    config = changed(before, asked.overrides)
    problems = values.check(config)
    if problems:
        raise BadInput(*problems)
    state = checkpoint.load(folder.checkpoints, asked.checkpoint or "last")
    experiment = assemble(config)
    step, end = state["progress"]["step"], experiment.trainer.total_steps
    if step > end:
        raise BadInput(f"{folder.path}: is at step {step} already, beyond the {end} asked for")
    if step == end and status.get("status") == "completed":
        epochs = round(step / experiment.trainer.steps_per_epoch)
        raise BadInput(f"{folder.path}: completed; to train longer: nnlab resume {folder.path} trainer.epochs={2 * epochs}")
    console = Console(folder.log)
    try:
        write_config(folder, config)
        console.line(f"resumed at step {step} of {end}; {folder.path}")
        carry_out(experiment, folder, console, state, tags=config["tags"])
    except NnlabError as error:
        console.log(str(error))
        raise
    finally:
        console.close()
    return 0


def changed(config: dict, overrides: list[str]) -> dict:
    """The config with what may change in a run that has begun; the rest would make it another run."""
    from omegaconf import OmegaConf

    legal = [*CHANGEABLE, *(f"trainer.{cadence}_every" for cadence in CADENCES)]
    problems = []
    new = OmegaConf.create(config)
    for line in overrides:
        key, equals, value = line.partition("=")
        if not equals:
            problems.append(f"{line}: expected key=value, e.g. trainer.epochs=40")
        elif not any(key == name or key.startswith(name + ".") for name in legal):
            problems.append(f"{key}: cannot change in a run that has begun; these can: {', '.join(legal)}")
        elif OmegaConf.select(new, key) is None:
            problems.append(f"{key}: unknown key")
        else:
            OmegaConf.update(new, key, OmegaConf.from_dotlist([f"value={value}"]).value)
            if key == "trainer.epochs":
                OmegaConf.update(new, "trainer.steps", "none")
    if problems:
        raise BadInput(*problems)
    return OmegaConf.to_container(new, resolve=True)
