"""nnlab perturb: new examples near an image, from codes near its code, or from the image and noise."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    MOST_STEPS,
    add_data_changed,
    add_model,
    add_output,
    add_split,
    make_parser,
    positive,
    reals,
    seed,
    whole,
    write_picture,
)
from nnlab.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from nnlab.data.spec import Batch
    from nnlab.data.split import Data
    from nnlab.experiment.loading import LoadedRun

MEASURED = 10_000  # training examples on which the spread of the codes is measured, at the most
LARGEST = 100.0  # scale


def main(argv: list[str]) -> int:
    """Draw the decoded codes near an image's code, and measure their distances. Returns the exit status."""
    parser = make_parser(
        "perturb",
        "New examples near image X: decoded codes e(X) + e′, where e′ is drawn from s · N(0, σ²), and σ is the "
        "standard deviation of each coordinate over the codes of the training split. With a larger s they differ more from X. "
        "A model that makes another example of the class of an image makes it from X and noise drawn from s · N(0, I).",
        "perturb last --index 3",
        "perturb last --index 42 --scale 0.5 -n 30 --seed 7 -o shoes.png",
        "perturb last --index 42 --split train --scale 0.1,0.5,1",
    )
    parser.add_argument("--index", type=whole, required=True, metavar="I", help="image I of the split")
    parser.add_argument(
        "--scale", type=reals, default=[0.25, 0.5, 1.0], metavar="S,…", help="values of s, one row each; by default 0.25,0.5,1"
    )
    parser.add_argument("-n", type=positive, default=10, help="variations for each s; by default 10")
    parser.add_argument("--seed", type=seed, default=0, help="another seed, other variations")
    add_split(parser, "test", held_out=True)
    add_output(parser, "variation", scale="--enlarge")
    add_model(parser)
    add_data_changed(parser)
    args = parser.parse_args(argv)
    check(args)

    import torch

    from nnlab.commands.capability import require_image, require_one_of
    from nnlab.commands.run_access import batches_of, load_capable, select_examples
    from nnlab.latent.codes import moments, vary
    from nnlab.model import Decodes, Encodes, Varies, can
    from nnlab.plotting.latent import variation_picture

    run = load_capable(args, "perturb")
    own = can(run.model, Varies)
    require_one_of(run.model, "perturb", (Varies,), (Encodes, Decodes))
    require_image(run.model, "perturb")
    data = run.data
    given = select_examples(run, args.split, [args.index], "--index")
    generator = torch.Generator(run.device).manual_seed(args.seed)
    scales = torch.tensor(args.scale, device=run.device)
    with torch.inference_mode():
        if own:
            noise = torch.randn((args.n, run.model.latent_dim), device=run.device, generator=generator)
            moved = scales[:, None, None] * noise
            x = given.input.expand(len(scales) * args.n, *given.input.shape[1:])
            varied = run.model.vary(x, moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
            output = run.model.vary(given.input, torch.zeros_like(noise[:1]))[0]
        else:
            code = run.model.encode(given.input)
            _, std = moments(run.model, batches_of(run, data.train, data.train.spread(MEASURED)))
            noise = torch.randn((args.n, len(std)), device=run.device, generator=generator)
            moved = scales[:, None, None] * std * noise
            output = run.model.decode(code)[0]
            varied = vary(run.model, code[0], std, scales, noise)
        picture = variation_picture(run.model, given, output, varied, args.scale)
        figures = measured(run, data, args, given, output, varied, moved)
    return write_picture(picture, args, run, "variation", figures)


def check(args: Namespace) -> None:
    """Raise BadInput with all problems of the command line."""
    problems = []
    wrong = [scale for scale in args.scale if not 0 < scale <= LARGEST]
    if wrong:
        problems.append(f"--scale: expected numbers > 0 and at most {LARGEST:g}, got {wrong[0]:g}")
    for option, count in (("--scale", len(args.scale)), ("-n", args.n)):
        if count > MOST_STEPS:
            problems.append(f"{option}: expected at most {MOST_STEPS} for a picture, got {count}")
    if problems:
        raise BadInput(*problems)


def measured(run: LoadedRun, data: Data, args: Namespace, given: Batch, output: Tensor, varied: Tensor, moved: Tensor) -> dict:
    """What was asked, and how far each scale leads: in the codes, and in the pixels from the output without e′.

    moved  (k, n, d) e′, or the noise of a model that varies images itself

    With a judge of the run's own that knows the image's class, also the share of the variations that are still seen as it.
    """
    import torch

    from nnlab.commands.run_access import judge_of
    from nnlab.metrics.mode_coverage import class_agreement
    from nnlab.metrics.reconstruction import mse
    from nnlab.model import Varies, can

    own, classes = can(run.model, Varies), data.classes_of(args.split)
    noise, length, beside = ("noise", "noise_norm", "output_mse") if own else ("e′", "code_distance", "reconstruction_mse")
    learned = data.train.labels(data.train.rows) if args.split != "held_out" else None
    known = given.label is not None and learned is not None and bool(torch.isin(given.label, learned).all())
    judge = judge_of(run, data) if known else None
    rows = []
    for scale, some, step in zip(args.scale, varied, moved, strict=True):
        row = {"scale": scale, length: step.norm(dim=1).mean().item(), "mse": mse(some, output[None]).mean().item()}
        if judge:
            row["class_agreement"] = class_agreement(judge.model.classify(judge.adapt(some)), given.label.expand(len(some)))
        rows.append(row)
        print(f"s = {scale:g}: mse {row['mse']:.5g} from the output without {noise}")
    return {
        **run.metadata,
        **{"split": args.split, "index": args.index, "seed": args.seed, "n": args.n},
        **({} if given.label is None else {"class": classes[given.label.item()]}),
        **({"judge": judge.name} if judge else {}),
        beside: mse(output[None], given.target).item(),
        "scales": rows,
    }
