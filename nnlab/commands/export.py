"""nnlab export: a trained model as files for other programs, safetensors and ONNX."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlab.commands.arguments import add_checkpoint, check_folder, make_parser
from nnlab.errors import BadInput, RunFailed, explain, printable, shortened
from nnlab.extras import require
from nnlab.runs.files import all_or_none, write_whole
from nnlab.runs.find import as_typed
from nnlab.runs.text_formats import as_json

if TYPE_CHECKING:
    from nnlab.experiment.loading import LoadedRun
    from nnlab.export.parts import ModelPart
    from nnlab.model import Model

FILES = (".onnx", ".safetensors", ".json", ".pt", ".pth", ".zip")  # endings of what is no folder
WEIGHTS = "weights"
ONNX = ("onnx", "onnxscript", "onnxruntime")


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "export",
        "The model as files for other programs, in a new folder: all weights as safetensors with the config beside them, and "
        "each part that it has (encoder, decoder, generator, classifier, translator) as ONNX. Each ONNX file is run in "
        "onnxruntime and compared with torch. It is kept if they differ by at most 1e-4. Of images 1 is the range of their "
        "values; of codes it is the largest value, or 1 if that is more. export.json says what goes in and what comes out. "
        "In Python, nnlab.load(FOLDER) gives the model again.",
        "export last",
        "export last -o my_vae --checkpoint best",
        "export last --part encoder -o encoder",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="a new folder; by default export/ of the run")
    parser.add_argument(
        "--part", action="append", metavar="NAME", help="only weights, encoder, decoder, …; again: several; by default all"
    )
    add_checkpoint(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Write weights and parts of a run's model into a new folder. Returns the exit status: 1 if a part is left out by a fault.

    Raises RunFailed if the fault is in a part that was asked for by name; then nothing is written.
    """
    args = arguments(argv)
    if args.output:
        check_folder(args.output, FILES, "several files are")
    require("export", "export", "safetensors", *([] if args.part and set(args.part) == {WEIGHTS} else ONNX))

    from nnlab.experiment.loading import open_run

    run = open_run(args.run, args.checkpoint, "cpu")
    folder = args.output or run.folder.path / "export"
    check_folder(folder, (), "")
    parts, missing = chosen(run.model, args.part)
    try:
        with all_or_none(folder) as made:
            record = write(run, parts, made, with_weights=not args.part or WEIGHTS in args.part)
            if args.part and record["faults"]:
                raise RunFailed(*(f"--part {name}: {fault}" for name, fault in record["faults"].items()))
            write_whole(made / "export.json", as_json({**record, "missing": missing}))
    except OSError as error:
        raise BadInput(explain(error, folder)) from error
    tell(record, missing)
    if not (args.part or parts or missing):
        print(f"{type(run.model).__name__} has no encoder, decoder, generator, classifier or translator: its weights are all")
    print(printable(as_typed(folder)))
    return 1 if record["faults"] else 0


def chosen(model: Model, asked: list[str] | None) -> tuple[list[ModelPart], dict[str, str]]:
    """The parts to export, all or those asked for, and why others are missing. Raises BadInput for those that there are not."""
    from nnlab.export.parts import parts_of

    parts, missing = parts_of(model)
    if asked is None:
        return list(parts.values()), missing
    problems = []
    for name in dict.fromkeys(asked):
        if name not in (WEIGHTS, *parts):
            why = f" ({missing[name]})" if name in missing else ""
            has = ", ".join((WEIGHTS, *parts))
            problems.append(f"--part {shortened(name)}: {type(model).__name__} has none{why}; it has {has}")
    if problems:
        raise BadInput(*problems)
    return [part for name, part in parts.items() if name in asked], {}


def write(run: LoadedRun, parts: list[ModelPart], folder: Path, with_weights: bool) -> dict[str, Any]:
    """Write the weights with their config, and the parts. Returns what export.json says of them. Raises OSError.

    A part that torch.onnx cannot express, or whose output differs from torch's, is no file; `faults` says why.
    """
    from nnlab.data.spec import DataSpec
    from nnlab.experiment.run import write_config
    from nnlab.export import weights
    from nnlab.runs.folder import RunFolder

    config, spec = run.folder.read_config(), DataSpec.from_state(run.state["spec"])
    facts = weights.facts_of(config["model"]["_target_"], spec, run.checkpoint, run.metadata["step"])
    record: dict[str, Any] = {**facts, "step": run.metadata["step"], "weights": {}, "parts": {}, "faults": {}}
    if with_weights:
        state = run.state["trainer"]["model"]
        size = weights.write(state, spec, facts, folder / weights.FILE)
        write_config(RunFolder(folder), config)
        record["weights"] = {"file": weights.FILE, "config": "config.yaml", "tensors": len(state), "bytes": size}
    if parts:
        from nnlab.export.onnx_file import CannotConvert, convert
        from nnlab.export.parts import words_of_metadata

        words = words_of_metadata(spec)
        for part in parts:
            try:
                made = convert(run.model, part, {**facts, **words})
            except CannotConvert as error:
                record["faults"][part.name] = str(error)
                continue
            write_whole(folder / f"{part.name}.onnx", made.content)
            about = {"file": f"{part.name}.onnx", "bytes": len(made.content), "difference": made.difference}
            record["parts"][part.name] = {**about, **made.about}
        record.update(words if record["parts"] else {})
    return record


def tell(record: dict[str, Any], missing: dict[str, str]) -> None:
    """Print what was written: of each part its inputs and outputs and its difference from torch; and what was not."""
    if record["weights"]:
        about = record["weights"]
        print(f"{about['file']}  {about['tensors']} tensors, {about['bytes']:,} bytes, with config.yaml")
    for part in record["parts"].values():
        print(f"{part['file']}  {part['bytes']:,} bytes; differs from torch by {part['difference']:.1e}")
        for arrow, values in (("→", part["inputs"]), ("←", part["outputs"])):
            for name, value in values.items():
                print(f"  {arrow} {name} ({', '.join(map(str, value['shape']))}) {value['type']}: {value['meaning']}")
    for name, reason in {**missing, **record["faults"]}.items():
        print(f"no {name}.onnx: {reason}")
