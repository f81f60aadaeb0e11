"""A user's own table in a text file."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import numpy as np
import torch

from nnlab.data.dataset import Share
from nnlab.data.parts import classes_of, with_test
from nnlab.data.split import Arrays
from nnlab.data.table import Table
from nnlab.errors import BadInput, one_line

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " ", "bar": "|"}
TOLD = 5  # at most this many problems of a file are listed
LARGEST = 3.4e38  # of float32


class Csv(Table):
    """A user's table in a text file: one row per line; all columns are numbers, except the column of labels.

    header     whether the first line has the names of the columns
    label      that column's name, or its number from 0 (−1 is the last); None without labels
    delimiter  between two columns
    test       share of each class in the test split
    """

    def __init__(
        self,
        *,
        file: str,
        header: bool = True,
        label: str | int | None = None,
        delimiter: Literal["comma", "semicolon", "tab", "space", "bar"] = "comma",
        test: Share = 0.1,
        **common,
    ) -> None:
        super().__init__(**common)
        self.file = self.root / file
        self.header, self.label, self.delimiter, self.test = header, label, delimiter, test

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self.file.stem

    def size(self) -> int:
        """Bytes of the table in memory: the number of lines times the number of columns."""
        columns = len(self.names())
        with self.file.open("rb") as file:
            lines = 1 + sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))
        return lines * (columns * 4 + 8)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Each record that is not empty, its cells stripped, with the number of its first line.

        Raises BadInput if the file is missing or is not such a text.
        """
        line = 0
        try:
            with self.file.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=DELIMITERS[self.delimiter], skipinitialspace=True, strict=True)
                for cells in reader:
                    begins, line = line + 1, reader.line_num
                    if self.delimiter == "space" and cells[-1:] == [""]:
                        cells.pop()  # a space at the end of a line
                    if any(cells) or len(cells) > 1:
                        yield begins, [cell.strip() for cell in cells]
        except FileNotFoundError as error:
            raise BadInput(f"data.file: no file {self.file}. Give one inside data.root, or an absolute path") from error
        except UnicodeDecodeError as error:
            raise BadInput(f"data.file: {self.file} is no text in UTF-8 ({one_line(error)}). Save it as UTF-8") from error
        except (csv.Error, OSError) as error:
            raise BadInput(f"data.file: {self.file}, line {line + 1}: cannot be read ({one_line(error)})") from error

    def names(self) -> list[str]:
        """Names of all columns; numbers if there are no names."""
        line, first = next(self.records(), (0, []))
        if not first:
            raise BadInput(f"data.file: {self.file} is empty; expected one row per line")
        if not self.header:
            return [f"column {i}" for i in range(len(first))]
        if looks_like_a_row(first):
            raise BadInput(
                f"data.header: line {line} of {self.file} holds numbers instead of names ({', '.join(first[:3])}, …); "
                "if it is a row, add data.header=false"
            )
        return [cell or f"column {i}" for i, cell in enumerate(first)]

    def label_column(self, names: list[str]) -> int | None:
        """The number of the column of labels. Raises BadInput if it does not exist, or is the only column."""
        if self.label is None:
            return None
        if len(names) == 1:
            raise BadInput(f"data.label: {self.file} has only one column, which cannot be the label; is data.delimiter right?")
        if isinstance(self.label, int):
            if not -len(names) <= self.label < len(names):
                raise BadInput(f"data.label: {self.label} of {len(names)} columns; they are numbered 0 … {len(names) - 1}")
            return self.label % len(names)
        if names.count(self.label) != 1:
            trouble = "is no column" if self.label not in names else "is the name of several columns"
            raise BadInput(f"data.label: '{self.label}' {trouble} of {self.file}; it has {', '.join(names)}. Or give a number")
        return names.index(self.label)

    def load(self) -> Arrays:
        """x (N, D) float64, labels (N,) if there is a column of labels. Raises BadInput with the cells that are not numbers."""
        names = self.names()
        at = self.label_column(names)
        values, labels, problems, count = array("d"), [], [], 0
        texts = dict.fromkeys((i for i in range(len(names)) if i != at), 0)  # columns without a number so far: cells of text
        records, rows = self.records(), 0
        if self.header:
            next(records)
        for line, cells in records:
            numbers = as_numbers(cells if at is None else cells[:at] + cells[at + 1 :])
            if len(cells) == len(names) and numbers and (at is None or cells[at]):
                labels.append(cells[at or 0])
                values.extend(numbers)
            else:
                line_problems = self.check(line, cells, names, at)
                problems, count = (problems + line_problems)[:TOLD], count + len(line_problems)
            for i in [i for i in texts if i < len(cells)]:
                if is_number(cells[i]):
                    del texts[i]
                else:
                    texts[i] += bool(cells[i])
            rows += 1
        self.refuse_texts([i for i, n in texts.items() if n], names, rows)
        if problems:
            more = [f"data.file: … and {count - TOLD} more in {self.file}"] if count > TOLD else []
            raise BadInput(*problems, *more)
        if not labels:
            raise BadInput(f"data.file: {self.file} has no row under its header")
        x = torch.from_numpy(np.frombuffer(values, dtype=np.float64).reshape(len(labels), -1).copy())
        columns = tuple(name for i, name in enumerate(names) if i != at)
        y, classes = (None, ()) if at is None else classes_of(whole_numbers(labels))
        return with_test(x, y, self.test, classes, columns=columns)

    def refuse_texts(self, columns: list[int], names: list[str], rows: int) -> None:
        """Raise BadInput if there are columns without any number: one sentence per column, without a list of cells."""
        if columns and rows > 1:
            quoted = [f"column '{names[i]}' holds no number in any of {rows:,} rows" for i in columns[:TOLD]]
            remedy = f"if it is the label, add data.label={names[columns[0]]}" if self.label is None else "remove it"
            more = f" ({len(columns) - TOLD} more such columns)" if len(columns) > TOLD else ""
            raise BadInput(*[f"data.file: {self.file}: {sentence}{more}; {remedy}" for sentence in quoted])

    def check(self, line: int, cells: list[str], names: list[str], at: int | None) -> list[str]:
        """Problems of a record, each with its line and column."""
        place = f"data.file: {self.file}, line {line}"
        if len(cells) < len(names):
            lacks = names[len(cells)]
            return [f"{place}, column '{lacks}': missing, the row ends after {len(cells)} of {len(names)} columns"]
        if len(cells) > len(names):
            beyond = f"{place}, column {len(names)}: '{cells[len(names)]}' is one too many"
            return [f"{beyond}, the table has {len(names)} columns, numbered from 0"]
        problems = []
        for i, (cell, name) in enumerate(zip(cells, names, strict=True)):
            if not cell:
                problems.append(f"{place}, column '{name}': missing value. Fill it or remove the row")
            elif i != at and not is_number(cell):
                problems.append(f"{place}, column '{name}': '{cell}' is no number{self.hint(line, cell)}")
        return problems

    def hint(self, line: int, cell: str) -> str:
        """A guess about a text in a column of numbers."""
        delimiter = next((name for name, sign in DELIMITERS.items() if sign in cell and name != self.delimiter), None)
        if delimiter and all(is_number(part) for part in cell.split(DELIMITERS[delimiter])):
            return f"; if this separates the columns, add data.delimiter={delimiter}"
        if line == 1:
            return "; if the first line names the columns, leave data.header=true"
        return "; if it is a label, name its column in data.label" if self.label is None else ""


def as_numbers(cells: list[str]) -> list[float]:
    """The texts as numbers; an empty result if one of them is not a number of float32.

    nan and inf are not numbers here, and 1_000 is not one either.
    """
    try:
        numbers = list(map(float, cells))
    except ValueError:
        return []
    return numbers if all(abs(number) < LARGEST for number in numbers) and "_" not in "".join(cells) else []


def is_number(text: str) -> bool:
    """Whether a text is a finite number of float32."""
    return bool(as_numbers([text]))


def looks_like_a_row(names: list[str]) -> bool:
    """Whether the cells of the first line (all, or all but one) are numbers, and not just 0, 1, 2, …"""
    numbers = [float(name) for name in names if is_number(name)]
    counting = [numbers[0] + i for i in range(len(numbers))] if numbers and numbers[0] in (0, 1) else []
    return len(numbers) >= max(1, len(names) - 1) and numbers != counting


def whole_numbers(labels: list[str]) -> np.ndarray:
    """Labels as integers, if they all are, so that class 10 comes after class 9; else as texts.

    07 and 7 are two labels, and so are 1_0 and 10, so these stay texts.
    """
    with suppress(ValueError, OverflowError):
        numbers = [int(label) for label in labels]
        if all(str(number) == label for number, label in zip(numbers, labels, strict=True)):
            return np.array(numbers, dtype=np.int64)
    return np.array(labels)
