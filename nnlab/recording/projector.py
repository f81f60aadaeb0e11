"""TensorBoard's embedding projector: its files, projector/ and projector_config.pbtxt of a run folder.

TensorBoard looks for the config under that name in the folder of the event file; the paths in it are relative to it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from nnlab.errors import printable
from nnlab.plotting.sprite import sprite
from nnlab.runs.files import own, replacing, write_whole

POINTS = 5000  # as many points as a browser can rotate smoothly


def write(run: Path, name: str, codes: np.ndarray, columns: dict[str, list], thumbnails: np.ndarray | None = None) -> None:
    """Write the projector's files of a run; earlier ones are replaced.

    name        of the tensor
    codes       (N, d); of fewer than three coordinates others are added, which are zero
    columns     what is known of each point, N values each under a name: the first is what points are coloured by
    thumbnails  (N, h, w, 3) uint8, as `thumbnail` makes them
    """
    from google.protobuf.text_format import MessageToString
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    folder = own(run / "projector")
    # without a third component it shows nothing at all
    codes = np.pad(codes, ((0, 0), (0, max(0, 3 - codes.shape[1]))))
    config = ProjectorConfig()
    embedding = config.embeddings.add(tensor_name=name, tensor_path="projector/tensors.tsv")
    embedding.tensor_shape.extend(codes.shape)
    embedding.metadata_path = "projector/metadata.tsv"
    # as text: of a binary file TensorBoard finds out by its first bytes alone whether it is one
    with replacing(folder / "tensors.tsv") as file:
        np.savetxt(file, codes, fmt="%.7g", delimiter="\t")
    write_whole(folder / "metadata.tsv", metadata(columns))
    if thumbnails is not None:
        embedding.sprite.image_path = "projector/sprite.png"
        embedding.sprite.single_image_dim.extend([thumbnails.shape[2], thumbnails.shape[1]])
        picture = sprite(thumbnails)
        gray = bool((picture == picture[..., :1]).all())  # a third of the bytes
        with replacing(folder / "sprite.png") as file:
            Image.fromarray(picture[..., 0] if gray else picture).save(file, "PNG")
    write_whole(run / "projector_config.pbtxt", MessageToString(config))


def metadata(columns: dict[str, list]) -> str:
    """A line a point; above them the names of the columns, unless there is one alone: TensorBoard would take it for a point."""
    rows = [*([tuple(columns)] if len(columns) > 1 else []), *zip(*columns.values(), strict=True)]
    return "".join("\t".join(printable(re.sub(r"\s+", " ", str(value))) for value in row) + "\n" for row in rows)
