"""The contract of the parts of every shipped model: which it has, what they compute, and that a graph of each can be traced."""

from __future__ import annotations

from dataclasses import replace

import torch
from fresh import fresh

from nnlab.data.spec import DataSpec
from nnlab.export.onnx_file import quiet, traced
from nnlab.export.parts import example_of, parts_of
from nnlab.model import Classifies, ClassifiesLabels, Decodes, Encodes, Samples, Translates, Varies, can

METHODS = {"encoder": "encode", "decoder": "decode", "classifier": "classify"}
WITHOUT = {  # a sampler that no graph can hold
    **dict.fromkeys(("rbm", "dbn"), "more than 16 times"),
    **dict.fromkeys(("boltzmann", "generative_classifier"), "not one set for each example"),
}


def test_each_part_is_what_the_model_can_do_and_has_a_graph_for_any_number_of_examples(model: str) -> None:
    net = fresh(model)
    parts, missing = parts_of(net)
    both = can(net, Encodes) and can(net, Decodes)
    assert [name for name in parts if name in METHODS] == [
        name for name, has in (("encoder", can(net, Encodes)), ("decoder", both), ("classifier", can(net, Classifies))) if has
    ]
    if model in WITHOUT:
        assert WITHOUT[model] in missing["generator"]
    elif "generator" in missing:
        assert both, "the decoder of codes is the generator, too"
        z = torch.randn((3, net.latent_dim), generator=torch.Generator().manual_seed(4))
        with torch.no_grad():
            assert torch.equal(net.sample(3, torch.Generator().manual_seed(4)), parts["decoder"].function(z))
    else:
        assert ("generator" in parts) == (can(net, Samples) or can(net, Varies))
    labels = net.labels if can(net, ClassifiesLabels) else ()
    assert [name for name in parts if name.startswith("classifier_")] == [f"classifier_{label}" for label in labels]
    ways = net.directions() if can(net, Translates) else {}
    assert len([name for name in parts if name.startswith("translator")]) == len(ways)
    for name, part in parts.items():
        check(net, name, part)


def check(net, name: str, part) -> None:
    """Its outputs are those of the model's method, and its graph leaves the number of examples free."""
    inputs = part.examples(4, seed=3)
    with torch.no_grad():
        output = part.function(*inputs)
        assert (output.dtype, len(output)) == (torch.float32, 4)
        assert output.isfinite().all()
        if name in METHODS:
            assert torch.equal(output, getattr(net, METHODS[name])(*inputs))
        with quiet():
            graph = traced(net, part)
    given = [node.meta["val"] for node in graph.graph.nodes if node.name in graph.graph_signature.user_inputs]
    assert len(given) == len(inputs)
    assert all(isinstance(x.shape[0], torch.SymInt) for x in given)


def test_an_image_says_what_its_values_were_in_the_files() -> None:
    spec = DataSpec("photos", "image", (1, 2, 2), range=(0.0, 255.0))
    assert example_of(spec.target, "x", spec).meaning.endswith("; values 0 … 1 for 0 … 255 of the image files")
    assert example_of(spec.target, "x", replace(spec, range=())).meaning.endswith("; values 0 … 1")


def test_a_standardised_table_says_so() -> None:
    part = parts_of(fresh("vae", "data=iris"))[0]["encoder"]
    assert "each column standardised, (value − mean) / std" in part.inputs[0][0].meaning


def test_a_prior_that_is_uniform_is_told() -> None:
    parts, missing = parts_of(fresh("bigan", "model.prior=uniform"))
    assert "z from U(-1, 1)" in missing["generator"]
    assert "U(-1, 1)" in parts["decoder"].inputs[0][0].meaning


def test_a_model_without_parts_has_none() -> None:
    assert parts_of(fresh("hopfield")) == ({}, {})
