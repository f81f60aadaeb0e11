"""A user's own table in a text file: what is read, and what is refused with its line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nnlab.data.datasets.csv import Csv
from nnlab.errors import BadInput

CPU = torch.device("cpu")
ROWS = [(i * 0.5, -i, ["cat", "dog", "fox"][i % 3]) for i in range(30)]
TEXT = "width,height,animal\n" + "".join(f"{a},{b},{c}\n" for a, b, c in ROWS)


def table(root: Path, text: str | bytes, **options) -> Csv:
    (root / "mine.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return Csv(root=str(root), file="mine.csv", **{"validation": 0, "standardize": False, **options})


def refused(root: Path, match: str, text: str | bytes, **options) -> BadInput:
    with pytest.raises(BadInput, match=match) as caught:
        table(root, text, **options).open(CPU)
    return caught.value


def read(data) -> list[tuple]:
    """(numbers, class) of every example, sorted."""
    found = []
    for split in (data.train, data.test):
        labels = split.labels(split.rows)
        names = [None] * len(split) if labels is None else [data.spec.classes[i] for i in labels]
        found += zip(map(tuple, split.values(split.rows).tolist()), names, strict=True)
    return sorted(found)


EXPECTED = sorted(((a, b), c) for a, b, c in ROWS)


@pytest.mark.parametrize("label", ["animal", 2, -1])
def test_numbers_and_labels_keep_their_rows(label, tmp_path):
    data = table(tmp_path, TEXT, label=label).open(CPU)
    assert read(data) == EXPECTED
    assert (data.spec.name, data.spec.kind, data.spec.shape) == ("mine", "table", (2,))
    assert (data.spec.columns, data.spec.classes) == (("width", "height"), ("cat", "dog", "fox"))
    assert data.test.sources["label"].x.bincount().tolist() == [1, 1, 1], "a tenth of each class"


WRITTEN = {
    "without a header": (TEXT.partition("\n")[2], {"header": False}),
    "semicolons": (TEXT.replace(",", ";"), {"delimiter": "semicolon"}),
    "tabs": (TEXT.replace(",", "\t"), {"delimiter": "tab"}),
    "bars": (TEXT.replace(",", " | "), {"delimiter": "bar"}),
    "spaces, some more, some at the end": (TEXT.replace(",", "   ").replace("\n", " \n"), {"delimiter": "space"}),
    "spaces after commas": (TEXT.replace(",", ", "), {}),
    "lines of Windows": (TEXT.replace("\n", "\r\n"), {}),
    "the mark of Excel": (b"\xef\xbb\xbf" + TEXT.encode(), {}),
    "empty lines": (TEXT.replace("\n", "\n\n"), {}),
    "no last line break": (TEXT[:-1], {}),
    "quotes": (TEXT.replace("cat", '"cat"').replace("width", '"width"'), {}),
}


@pytest.mark.parametrize(("text", "options"), WRITTEN.values(), ids=WRITTEN)
def test_the_same_table_written_otherwise(text, options, tmp_path):
    assert read(table(tmp_path, text, label=2, **options).open(CPU)) == EXPECTED


def test_labels_may_stand_in_any_column(tmp_path):
    moved = "\n".join(",".join((row.split(",")[2], *row.split(",")[:2])) for row in TEXT.splitlines())
    assert read(table(tmp_path, moved, label="animal").open(CPU)) == EXPECTED


def test_without_a_label_every_column_is_a_number(tmp_path):
    data = table(tmp_path, "1,2\n3,4\n" * 10, header=False).open(CPU)
    assert (data.train.labelled, data.spec.classes, data.spec.shape) == (False, (), (2,))
    assert data.spec.columns == ("column 0", "column 1")


def test_numbered_labels_are_sorted_as_numbers(tmp_path):
    data = table(tmp_path, "x,y\n" + "".join(f"{i},{i % 3 * 5}\n" for i in range(30)), label="y").open(CPU)
    assert data.spec.classes == ("0", "5", "10")


def test_a_comma_or_a_line_break_in_quotes_is_part_of_a_label(tmp_path):
    text = "x,y\n" + '1,"a, b"\n2,"c\nd"\n' * 10
    assert table(tmp_path, text, label="y").open(CPU).spec.classes == ("a, b", "c\nd")
    refused(tmp_path, r"line 22, column 'x': '\?' is no number", "x,y\n" + "1,a\n" * 18 + '2,"c\nd"\n?,a\n', label="y")


def test_standardised_columns_have_their_names_and_units(tmp_path):
    data = table(tmp_path, TEXT, label="animal", standardize=True).open(CPU)
    assert data.spec.columns == ("width", "height")
    assert np.allclose(
        data.spec.original(data.train.target.x)[:, 0] * -2, data.spec.original(data.train.target.x)[:, 1], atol=1e-5
    )


@pytest.mark.parametrize("text", [TEXT, TEXT[:-1]])
def test_the_size_told_covers_the_loaded_arrays(text, tmp_path):
    dataset = table(tmp_path, text, label="animal")
    data = dataset.open(CPU)
    kept = [tensor for split in (data.train, data.test) for tensor in (split.target.x, split.sources["label"].x)]
    assert dataset.size() >= sum(tensor.numel() * tensor.element_size() for tensor in kept)


def spoilt(line: int, content: str) -> str:
    """The table with another content in a line of the file, counted from 1."""
    lines = TEXT.splitlines()
    lines[line - 1] = content
    return "\n".join(lines)


WRONG = {
    "text": (7, "1,tall,cat", r"mine\.csv, line 7, column 'height': 'tall' is no number"),
    "missing": (7, "1,,cat", r"line 7, column 'height': missing value\. Fill it or remove the row"),
    "only spaces": (7, "1,  ,cat", r"line 7, column 'height': missing value"),
    "missing label": (9, "1,2,", r"line 9, column 'animal': missing value"),
    "all missing": (9, ",,", r"line 9, column 'width': missing value"),
    "short": (31, "1", r"line 31, column 'height': missing, the row ends after 1 of 3 columns"),
    "short by the label": (31, "1,2", r"line 31, column 'animal': missing, the row ends after 2 of 3 columns"),
    "long": (2, "1,2,cat,4", r"line 2, column 3: '4' is one too many, the table has 3 columns"),
    "nan": (4, "nan,2,cat", r"line 4, column 'width': 'nan' is no number"),
    "infinite": (4, "1,-inf,cat", r"line 4, column 'height': '-inf' is no number"),
    "beyond float32": (4, "1,1e39,cat", r"line 4, column 'height': '1e39' is no number"),
    "Python's underscore": (4, "1_0,2,cat", r"line 4, column 'width': '1_0' is no number"),
    "decimal comma in quotes": (4, '"1,5",2,cat', r"line 4, column 'width': '1,5' is no number"),
}


@pytest.mark.parametrize(("line", "content", "match"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_located(line, content, match, tmp_path):
    refused(tmp_path, match, spoilt(line, content), label="animal")


TYPED = {
    "text in a column of numbers": (7, "1,tall,cat", "line 7, column 'height': 'tall' is no number"),
    "a missing value": (8, ",2,cat", "line 8, column 'width': missing value. Fill it or remove the row"),
    "a missing label": (9, "1,2,", "line 9, column 'animal': missing value. Fill it or remove the row"),
    "a short row": (10, "1", "line 10, column 'height': missing, the row ends after 1 of 3 columns"),
    "a long row": (
        31,
        "1,2,cat,4",
        "line 31, column 3: '4' is one too many, the table has 3 columns, numbered from 0",
    ),
}


@pytest.mark.parametrize("model", ["ae", "kmeans"])
@pytest.mark.parametrize(("line", "content", "sentence"), TYPED.values(), ids=TYPED)
def test_the_command_line_says_where_and_leaves_nothing(nnlab, own_folder, line, content, sentence, model):
    Path("mine.csv").write_text(spoilt(line, content))
    status, _, error = nnlab("train", f"model={model}", "data=csv", "data.root=.", "data.file=mine.csv", "data.label=animal")
    assert (status, error) == (2, f"nnlab: data.file: mine.csv, {sentence}\n")
    assert [path.name for path in own_folder.iterdir()] == ["mine.csv"]


def test_the_command_line_tells_every_problem_on_a_line_of_its_own(nnlab, own_folder):
    Path("mine.csv").write_text(TEXT + "one,,cat\n1\n")
    error = nnlab("train", "model=kmeans", "data=csv", "data.root=.", "data.file=mine.csv", "data.label=animal")[2]
    assert [line.split(": ")[2] for line in error.splitlines()] == [
        "mine.csv, line 32, column 'width'",
        "mine.csv, line 32, column 'height'",
        "mine.csv, line 33, column 'height'",
    ]


def test_problems_are_told_at_once_and_counted_from_the_sixth(tmp_path):
    text = TEXT.replace("-", "?")
    error = refused(tmp_path, "line 3, column 'height'", text, label="animal")
    assert len(error.problems) == 6
    assert error.problems[-1].startswith("data.file: … and 24 more")


FILES = {
    "empty": (b"", {}, r"mine\.csv is empty"),
    "a header alone": (b"a,b\n", {}, r"has no row under its header"),
    "no UTF-8": (b"a,b\n\xff\xfe,2\n", {}, r"is no text in UTF-8"),
    "an open quote": (b'a,b\n1,2\n"1,2\n', {}, r"line 3: cannot be read \(unexpected end of data\)"),
    "a row as header": (b"1.5,2\n3,4\n", {}, r"line 1 of .* numbers instead of names .*add data\.header=false"),
    "a row with a label as header": (b"1.5,cat\n3,dog\n", {"label": 1}, r"add data\.header=false"),
    "a header as row": (
        b"a,b\n1,2\n",
        {"header": False},
        r"line 1, column 'column 0': 'a' is no number; .*leave data\.header=true",
    ),
    "another delimiter": (b"a;b\n1;2\n", {}, r"line 2, column 'a;b': '1;2' is no number; .*add data\.delimiter=semicolon"),
    "a label not named": (b"a,b\n1,cat\n", {}, r"'cat' is no number; if it is a label, name its column in data\.label"),
    "an unknown label": (b"a,b\n1,2\n", {"label": "c"}, r"data\.label: 'c' is no column of .*; it has a, b\. Or give a number"),
    "a label twice": (b"a,a\n1,2\n", {"label": "a"}, r"data\.label: 'a' is the name of several columns"),
    "a label beyond": (b"a,b\n1,2\n", {"label": 2}, r"data\.label: 2 of 2 columns; they are numbered 0 … 1"),
    "a label alone": (b"a\n1\n", {"label": "a"}, r"data\.label: .* has only one column"),
    "too few for a test": (b"a\n1\n2\n3\n", {}, r"data\.test: 0\.1 of 3 examples leaves none"),
}


@pytest.mark.parametrize(("text", "options", "match"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_used_is_told_with_a_way_out(text, options, match, tmp_path):
    refused(tmp_path, match, text, **options)


def test_numbered_columns_may_be_a_header(tmp_path):
    data = table(tmp_path, "0,1,2,kind\n" + "5,6,7,a\n" * 20, label="kind").open(CPU)
    assert data.spec.columns == ("0", "1", "2")
    assert len(data.train) + len(data.test) == 20


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"no file .*gone\.csv\. Give one inside data\.root"):
        Csv(root=str(tmp_path), file="gone.csv").open(CPU)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["1_0", "10", "1_1"], ("10", "1_0", "1_1")),
        (["07", "7", "8"], ("07", "7", "8")),
        (["+7", "7", "8"], ("+7", "7", "8")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["９", "9", "8"], ("8", "9", "９")),
    ],
)
def test_labels_that_are_written_differently_are_different(labels, classes, tmp_path):
    (tmp_path / "a.csv").write_text("x,kind\n" + "".join(f"{i},{labels[i % 3]}\n" for i in range(60)), encoding="utf-8")
    data = Csv(root=str(tmp_path), file="a.csv", label="kind").open(torch.device("cpu"))
    assert data.spec.classes == classes


def test_a_column_without_a_number_is_told_once_and_taken_for_the_label(tmp_path):
    (tmp_path / "a.csv").write_text("x,kind\n" + "".join(f"{i},{'uv'[i % 2]}\n" for i in range(178)))
    with pytest.raises(BadInput) as caught:
        Csv(root=str(tmp_path), file="a.csv").open(torch.device("cpu"))
    (problem,) = caught.value.problems
    assert problem.endswith("column 'kind' holds no number in any of 178 rows; if it is the label, add data.label=kind")


def test_a_column_of_dates_is_no_label(tmp_path):
    rows = "".join(f"{i % 7},{i % 5},2020-01-{i + 1:02d}\n" for i in range(30))
    match = r"leaves none to test on; the labels are 30 classes: is that column a date, a name, a number\?"
    refused(tmp_path, match, f"x,y,when\n{rows}", label="when")
