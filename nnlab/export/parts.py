"""The parts of a model that stand alone, by what it can do: encoder, decoder, generator, classifier, translator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.data.spec import DataSpec, Part
from nnlab.errors import printable
from nnlab.export.draws import TRACED, CannotDraw, Draw, recorded, replayed
from nnlab.model import (
    Classifies,
    ClassifiesLabels,
    Decodes,
    Encodes,
    Model,
    Samples,
    SamplesClasses,
    SamplesGiven,
    Translates,
    Varies,
    can,
)

Examples = Callable[[int, torch.Generator], Tensor]
"""(n, …) made for a number of examples, by a generator."""


@dataclass(frozen=True)
class Value:
    """An input or an output of a part: a tensor (N, …).

    meaning  what it is, with its unit or its range
    scale    of its values, which an error is a share of; 0: the largest of them, or 1 if that is more
    """

    name: str
    meaning: str
    scale: float = 0.0


@dataclass(frozen=True)
class ModelPart:
    """A function of tensors that a model has.

    inputs  each with a function that makes examples of it, to trace and to check the part
    """

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[tuple[Value, Examples], ...]
    output: Value

    def examples(self, n: int, seed: int) -> tuple[Tensor, ...]:
        """(n, …) of each input."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(make(n, generator).clone(memory_format=torch.contiguous_format) for _, make in self.inputs)


@torch.no_grad()
def parts_of(model: Model) -> tuple[dict[str, ModelPart], dict[str, str]]:
    """The parts of a model, which is on the CPU and in evaluation mode, by name; and why others are missing, by name."""
    spec, found, reasons = model.spec, [], {}
    law = ""  # of the noise of which a decoder makes new examples
    if can(model, Varies):
        noise = Draw("normal", (model.latent_dim,))
        given = ((example_of(spec.input, "x", spec), examples_of(spec.input, spec)), drawn(noise, "noise"))
        found.append(ModelPart("generator", model.vary, given, example_of(spec.target, "y", spec)))
    elif can(model, Samples):
        try:
            maker, draws = generator_of(model)
            law = decoded_law(model, maker, draws)
            if law:
                reasons["generator"] = f"its decoder is one; of z from {law} it makes new examples"
            else:
                found.append(maker)
        except CannotDraw as error:
            reasons["generator"] = str(error)
    if can(model, Decodes) and (can(model, Encodes) or not found):
        found.insert(0, decoder_of(model, law))
    taken = ((example_of(spec.input, "x", spec), examples_of(spec.input, spec)),)
    if can(model, Encodes):
        found.insert(0, ModelPart("encoder", model.encode, taken, Value("z", said(model.encode, "codes"))))
    if can(model, Classifies):
        about = f"probabilities of the {len(spec.classes)} classes, in the order of the metadata `classes`"
        found.append(ModelPart("classifier", model.classify, taken, Value("p", about, 1.0)))
    found += classifiers_of(model, taken)
    return {part.name: part for part in (*found, *translators_of(model))}, reasons


def classifiers_of(model: Model, taken: tuple[tuple[Value, Examples], ...]) -> list[ModelPart]:
    """A classifier for each label, of a model that tells the classes of several apart.

    taken  what it takes
    """
    if not can(model, ClassifiesLabels):
        return []

    def reader(label: str) -> Callable[[Tensor], Tensor]:
        return lambda x: model.decide_labels(model.features(x))[label]

    values = {label: printable(", ".join(model.spec[label].names)) for label in model.labels}
    return [
        ModelPart(f"classifier_{label}", reader(label), taken, Value("p", f"probabilities of {names}", 1.0))
        for label, names in values.items()
    ]


def generator_of(model: Model) -> tuple[ModelPart, list[Draw]]:
    """The sampler as a function of what it is given, if anything, and of its random numbers. Raises CannotDraw."""
    spec, named = model.spec, {}
    if can(model, SamplesGiven):
        named = {name: spec[name] for name in model.conditions}

        def sample(n: int, *given: Tensor) -> Tensor:
            return model.sample_given(dict(zip(named, given, strict=True)), None)

    elif can(model, SamplesClasses):
        named = {"label": spec["label"]}

        def sample(n: int, label: Tensor) -> Tensor:
            return model.sample_class(label, None)

    else:

        def sample(n: int) -> Tensor:
            return model.sample(n, None)

    given = [(example_of(part, name, spec), examples_of(part, spec)) for name, part in named.items()]
    some = torch.Generator().manual_seed(0)
    draws = recorded(sample, lambda n: [make(n, some) for _, make in given])
    names = ["noise"] if len(draws) == 1 else [f"noise_{i + 1}" for i in range(len(draws))]
    inputs = (*given, *(drawn(draw, name) for draw, name in zip(draws, names, strict=True)))

    def function(*tensors: Tensor) -> Tensor:
        return replayed(sample, tensors[: len(given)], tensors[len(given) :])

    return ModelPart("generator", function, inputs, example_of(spec.target, "x", spec)), draws


def decoded_law(model: Model, maker: ModelPart, draws: list[Draw]) -> str:
    """The distribution of z if a sample is decode(z) of a model that encodes, too; else ""."""
    if not (can(model, Encodes) and can(model, Decodes)) or len(maker.inputs) > 1 or draws[0].shape != (model.latent_dim,):
        return ""
    (noise,) = maker.examples(TRACED, seed=0)
    z, law = (noise, "N(0, 1)") if draws[0].kind == "normal" else (2 * noise - 1, "U(-1, 1)")
    return law if torch.equal(maker.function(noise), model.decode(z)) else ""


def decoder_of(model: Model, law: str) -> ModelPart:
    """The decoder of codes; `law` is that of the noise of which it makes new examples, "" if it is not for that."""
    examples = examples_of(model.spec.input, model.spec)

    def codes(n: int, generator: torch.Generator) -> Tensor:
        if can(model, Encodes):
            return model.encode(examples(n, generator))
        return torch.randn((n, model.latent_dim), generator=generator)

    meaning = "codes" + (", as of the encoder" if can(model, Encodes) else "") + (f"; from {law}: new examples" if law else "")
    return ModelPart("decoder", model.decode, ((Value("z", meaning), codes),), example_of(model.spec.target, "x", model.spec))


def translators_of(model: Model) -> list[ModelPart]:
    """One for each direction of a model that translates, for images of the size of the data."""
    ways = model.directions() if can(model, Translates) else {}
    found = []
    for to, (taken, made) in ways.items():
        name = "translator" if len(ways) == 1 else f"translator_{to}"
        given = ((example_of(taken, "x", model.spec), examples_of(taken, model.spec)),)
        found.append(ModelPart(name, lambda x, to=to: model.translate(x, to), given, example_of(made, "y", model.spec)))
    return found


def drawn(draw: Draw, name: str) -> tuple[Value, Examples]:
    """An input that takes the place of a sampler's random numbers."""
    laws = {"normal": "noise, N(0, 1)", "uniform": "noise, U(0, 1)", "integer": f"a number of 0 … {draw.high - 1}"}
    meaning = laws[draw.kind] + (", all as likely" if draw.kind == "integer" else ", all independent")
    return Value(name, meaning), draw.example


def said(method: Callable, otherwise: str) -> str:
    """What the first sentence of a method's docstring says about its result."""
    text = " ".join((inspect.getdoc(method) or "").partition("\n\n")[0].split())
    return printable(text).rstrip(".") or otherwise


def example_of(part: Part, name: str, spec: DataSpec) -> Value:
    """An input or an output with examples of a part of the data: what they are, and their range."""
    values = f"values {part.low:g} … {part.high:g}" + ("" if part.bounded else " in training")
    if part.kind == "image" and part.in_unit_interval and spec.range:
        values += " for {:g} … {:g} of the image files".format(*spec.range)
    if part.mean:
        values += "; each column standardised, (value − mean) / std with `mean` and `std` of the metadata"
    kinds = {
        "image": f"images, channels × height × width; {values}",
        "table": f"rows; {values}",
        "label": "numbers of classes, in the order of the metadata `classes`",
        "text": f"numbers of words, in the order of the metadata `words_{name}`; 0 fills up, 1 is every other word",
        "box": "left, top, width, height in pixels",
        "points": "x, y in pixels from the left upper corner; (-1, -1) is a point that is missing",
    }
    return Value(name, kinds[part.kind], part.value_range if part.kind in ("image", "table") else 0.0)


def examples_of(part: Part, spec: DataSpec) -> Examples:
    """Random examples of a part within its range; of a standardised table normal values."""
    height, width = spec.shape[-2:] if spec.kind == "image" else (1, 1)

    def make(n: int, generator: torch.Generator) -> Tensor:
        u = torch.rand((n, *part.shape), generator=generator)
        if part.kind == "label":
            return torch.randint(len(part.names), (n,), generator=generator)
        if part.kind == "text":  # each text shorter than the longest, as most are
            return torch.where(torch.arange(part.shape[0]) <= part.shape[0] // 2, (u * (len(part.names) - 1)).long() + 1, 0)
        if part.kind in ("box", "points"):
            return u * 0.5 * torch.tensor([width, height] * (part.shape[-1] // 2))
        if part.mean:
            return torch.randn((n, *part.shape), generator=generator).clamp(part.low, part.high)
        return part.low + u * (part.high - part.low)

    return make


def words_of_metadata(spec: DataSpec) -> dict[str, list]:
    """What the inputs and outputs refer to: names of classes, columns and words, and the means and deviations of columns."""
    lists = {"classes": spec.classes, "columns": spec.columns, "mean": spec.mean, "std": spec.std}
    lists |= {f"words_{name}": part.names for name, part in spec.parts.items() if part.kind == "text"}
    return {name: list(values) for name, values in lists.items() if values}
