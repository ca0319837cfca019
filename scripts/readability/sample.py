"""Draws names, or doc comments, at random, to be guessed by a reader who has nothing else open.

    scripts/readability/sample.py names            # 60 functions and types with their signatures
    scripts/readability/sample.py docs             # 40 doc comments without their code
    scripts/readability/sample.py names --answers  # the same sample, with where each is defined

The seed is the hash of the commit before the present one, so a sample cannot be chosen, and is
another one after each commit. `--seed TEXT` repeats an earlier sample. A name is right if what the
reader says it does is what the code does; 57 of 60 is the aim.
"""

import argparse
import random
import subprocess

from rust_source import ROOT, Item, items_of, tracked_files

# Names that a trait or the test framework dictates tell nothing about ours.
DICTATED = {
    "main", "new", "default", "fmt", "from", "from_str", "drop", "clone", "eq", "hash", "cmp",
    "partial_cmp", "next", "poll", "deref", "try_from", "into_iter", "add", "sub", "serialize",
    "deserialize",
}  # fmt: skip


def commit_before() -> str:
    """Returns the hash of the parent of the present commit."""
    command = ["git", "rev-parse", "HEAD~1"]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def candidates(kind: str) -> list[Item]:
    """Returns what a sample is drawn from: items of the crates that are not tests."""
    items = [item for path in tracked_files() for item in items_of(path) if not item.is_test]
    if kind == "names":
        return [item for item in items if item.name not in DICTATED]
    return [item for item in items if len(item.doc) > 30]


def show(item: Item, number: int, kind: str, answers: bool) -> str:
    """Returns the text that the reader sees of one item."""
    place = f"    [{item.path}:{item.line}]" if answers else ""
    if kind == "names":
        owner = f"impl {item.owner} " if item.owner else ""
        return f"{number:2}. {owner}{{ {item.signature} }}{place}" if owner else (
            f"{number:2}. {item.signature}{place}"
        )
    text = item.doc.replace("\n", "\n    ")
    return f"{number:2}. {item.kind} {item.name}{place}\n    {text}"


def main() -> None:
    """Prints a sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["names", "docs"])
    parser.add_argument("--seed", help="the seed of an earlier sample")
    parser.add_argument("--count", type=int)
    parser.add_argument("--answers", action="store_true", help="say where each is defined")
    arguments = parser.parse_args()
    seed = arguments.seed or commit_before()
    count = arguments.count or {"names": 60, "docs": 40}[arguments.kind]
    print(f"seed {seed}")
    drawn = random.Random(seed + arguments.kind).sample(candidates(arguments.kind), count)
    for number, item in enumerate(drawn, 1):
        print(show(item, number, arguments.kind, arguments.answers))


if __name__ == "__main__":
    main()
