"""What is shown of a result, once, and its looks in HTML, markdown and LaTeX.

A result lists its blocks: headings, paragraphs, tables. To add a block, a class here and a case in
each of the three functions below; to add a format, a fourth function.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from .markup import escape_latex, escape_markdown, latex_table, markdown_table
from .output_frames import FramesAsAsked
from .text import escape, html_table, notes_html

__all__ = [
    "Block",
    "Cells",
    "Document",
    "Formula",
    "Heading",
    "Notes",
    "Paragraph",
    "Printed",
    "PrintedDocument",
]

LINE_END = "\\\\\n"


@dataclass(frozen=True, slots=True)
class Heading:
    """A title (level 1), or that of a part (2)."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; its lines stay lines."""

    text: str


@dataclass(frozen=True, slots=True)
class Formula:
    """A model's formula, and a word on its data."""

    formula: str | None
    data: str


@dataclass(frozen=True, slots=True)
class Cells:
    """A table: header, rows of strings, and the rows' names; its title, and the notes below it.

    The first `text` columns are words and stand left, numbers right.
    A rule stands above the rows at `breaks`, but in markdown, which has none.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: Sequence[str] | None = None
    text: int = 0
    title: str = ""
    notes: Sequence[str] = ()
    breaks: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Notes:
    """Small print."""

    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Printed:
    """Text in a fixed pitch, whose columns are made by spaces."""

    text: str


Block = Heading | Paragraph | Formula | Cells | Notes | Printed


class Document(FramesAsAsked):
    """A result that lists its blocks: HTML for notebooks, markdown and LaTeX for papers."""

    @abstractmethod
    def _blocks(self) -> Sequence[Block]:
        """What is shown, from top to bottom."""

    def _repr_html_(self) -> str:
        return "".join(_html(block) for block in self._blocks())

    def to_markdown(self) -> str:
        """The same as markdown: tables in GitHub's syntax, names and formulas as they are."""
        return "\n\n".join(filter(None, map(_markdown, self._blocks())))

    def to_latex(self) -> str:
        r"""The same as LaTeX; needs ``\usepackage{booktabs}``."""
        return "\n\n".join(filter(None, map(_latex, self._blocks())))


class PrintedDocument(Document):
    """A result that is shown as it prints."""

    def _blocks(self) -> list[Block]:
        return [Printed(str(self))]


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level + 3}>{escape(text)}</h{level + 3}>"
        case Paragraph(text):
            return "<p>" + escape(text).replace("\n", "<br>") + "</p>"
        case Formula(formula, data):
            what = f"<code>{escape(formula)}</code>" if formula else "fitted from arrays"
            return f"<p>{what}<br>{escape(data)}</p>"
        case Notes(notes):
            return notes_html(notes)
        case Printed(text):
            return f"<pre>{escape(text)}</pre>"
    title = f"<p>{escape(block.title)}</p>" if block.title else ""
    table = html_table(block.header, block.rows, block.names, block.text, block.breaks)
    return title + table + notes_html(block.notes)


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * (level + 2)} {escape_markdown(text)}"
        case Paragraph(text):
            return escape_markdown(text).replace("\n", "  \n")
        case Formula(formula, data):
            start, end = ("`` ", " ``") if formula and "`" in formula else ("`", "`")
            what = f"{start}{formula}{end}" if formula else "fitted from arrays"
            return f"{what}  \n{escape_markdown(data)}"
        case Notes(notes):
            return "\n\n".join(f"*{escape_markdown(note)}*" for note in notes)
        case Printed(text):
            return f"```text\n{text}\n```"
    title = [f"**{escape_markdown(block.title)}**"] if block.title else []
    table = markdown_table(block.header, block.rows, block.names, block.text)
    notes = [f"*{escape_markdown(note)}*" for note in block.notes]
    return "\n\n".join([*title, table, *notes])


def _latex(block: Block) -> str:
    match block:
        case Heading(text, level):
            return rf"\{'subsection' if level == 1 else 'paragraph'}*{{{escape_latex(text)}}}"
        case Paragraph(text):
            return escape_latex(text).replace("\n", LINE_END)
        case Formula(formula, data):
            what = rf"\texttt{{{escape_latex(formula)}}}" if formula else "fitted from arrays"
            return f"{what}{LINE_END}{escape_latex(data)}"
        case Notes(notes):
            return "\n\n".join(rf"{{\footnotesize {escape_latex(note)}}}" for note in notes)
        case Printed(text):
            lines = [re.sub(" (?= )|^ ", "~", escape_latex(line)) for line in text.split("\n")]
            return rf"\texttt{{{LINE_END.join(lines)}}}"
    table = latex_table(block.header, block.rows, block.names, block.text, block.breaks)
    if not (block.title or block.notes):
        return f"\\begin{{center}}\n{table}\n\\end{{center}}"
    notes = [rf"\par\smallskip {{\footnotesize {escape_latex(note)}\par}}" for note in block.notes]
    caption = [rf"\caption{{{escape_latex(block.title)}}}"] if block.title else []
    start = [r"\begin{table}[htb]", r"\centering", *caption]
    return "\n".join([*start, table, *notes, r"\end{table}"])
