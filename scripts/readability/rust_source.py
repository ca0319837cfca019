"""Reads Rust sources as text: files, items with their signatures and doc comments.

This is no parser. It relies on rustfmt's layout: an item begins on a line of its own, and a
signature ends at the first `{` or `;` outside of parentheses.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ITEM = re.compile(
    r"^(?P<indent>\s*)(?:pub(?:\([^)]*\))?\s+)?(?:default\s+)?(?:const\s+)?(?:async\s+)?(?:unsafe\s+)?"
    r"(?:extern\s+\"C\"\s+)?(?P<kind>fn|struct|enum|trait|type|union)\s+(?P<name>\w+)"
)
IMPL = re.compile(r"^(?:unsafe\s+)?impl\b(?P<header>[^{]*)")
TEST_ATTRIBUTE = re.compile(r"^\s*#\[(?:tokio::)?test\b")


@dataclass
class Item:
    """A function or type with what a reader sees of it."""

    path: str
    line: int
    kind: str
    name: str
    owner: str
    signature: str
    doc: str
    is_test: bool


def tracked_files() -> list[str]:
    """Returns every Rust file that git tracks, relative to the repository, in order."""
    listed = subprocess.run(
        ["git", "ls-files", "*.rs"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return sorted(listed.stdout.split())


def crate_of(path: str) -> str:
    """Returns the folder of the crate that a file belongs to."""
    return re.split(r"/(?:src|tests|benches)/", path)[0]


def is_test_path(path: str) -> bool:
    """Returns whether a whole file is test or benchmark code."""
    return bool(re.search(r"/(?:tests|benches)/|/tests\.rs$|/strategies\.rs$", path))


def signature_at(lines: list[str], start: int) -> str:
    """Returns the text of an item from its first line up to its body, on one line."""
    depth = 0
    text = ""
    for line in lines[start : start + 30]:
        for char in line.strip() + " ":
            if char in "([":
                depth += 1
            elif char in ")]":
                depth -= 1
            elif char in "{;" and depth == 0:
                return " ".join(text.split())
            text += char
    return " ".join(text.split())


def doc_before(lines: list[str], start: int) -> str:
    """Returns the doc comment above an item, without its markers."""
    docs: list[str] = []
    index = start - 1
    while index >= 0:
        line = lines[index].strip()
        if line.startswith("///"):
            docs.insert(0, line[3:].strip())
        elif not (line.startswith("#[") or line.endswith(")]") or line.endswith(",")):
            break
        index -= 1
    return "\n".join(docs).strip()


def items_of(path: str) -> list[Item]:
    """Returns the functions and types of a file, with the type whose `impl` holds each."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    items = []
    owner = ""
    in_tests = is_test_path(path)
    for index, line in enumerate(lines):
        if line.startswith("mod tests {"):
            in_tests = True
        implementation = IMPL.match(line)
        if implementation:
            header = implementation["header"]
            owner = " ".join(header.split()).strip()
        elif line.startswith("}"):
            owner = ""
        found = ITEM.match(line)
        if not found or line.lstrip().startswith("//"):
            continue
        items.append(
            Item(
                path=path,
                line=index + 1,
                kind=found["kind"],
                name=found["name"],
                owner=owner if found["indent"] else "",
                signature=signature_at(lines, index),
                doc=doc_before(lines, index),
                is_test=in_tests,
            )
        )
    return items
