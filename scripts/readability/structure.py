"""Prints the structure of the Rust code in figures: files and lines by crate, the arrows between
the crates, import circles between the files of a crate, and the words of docs/.

    scripts/readability/structure.py

Lines are those outside of tests, without blank lines and comments. A circle is a set of files of
one crate in which each imports, directly or not, each other. It exits with 1 if there is one.
"""

import json
import re
import statistics
import subprocess
import sys
from collections import defaultdict

from rust_source import ROOT, crate_of, is_test_path, tracked_files

USE = re.compile(r"\buse\s+((?:crate|super|self)\b[^;]*);", re.DOTALL)
INLINE = re.compile(r"\b((?:crate|super)(?:::\w+)+)")


def code_of(path: str) -> str:
    """Returns the source of a file without comments, strings and its module of tests."""
    text = (ROOT / path).read_text(encoding="utf-8")
    text = re.sub(r"(?m)^\s*//.*$", "", text)
    text = re.sub(r"(?m)^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*mod \w+ \{\n.*?^\}\n", "", text, flags=re.DOTALL)
    return re.sub(r"(?m)^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*(?:pub\(\w+\) )?(?:mod|use) [^;]*;\n", "", text)


def module_of(path: str, crate: str) -> tuple[str, ...]:
    """Returns the module path of a file, `()` for the root of the crate."""
    inside = path[len(crate) + 1 :].removeprefix("src/").removesuffix(".rs")
    parts = tuple(inside.split("/"))
    return () if parts in {("lib",), ("main",)} else parts


def expand(tree: str) -> list[str]:
    """Returns the paths of a `use` tree, `a::{b, c::d}` as `a::b` and `a::c::d`."""
    tree = re.sub(r"\s+", " ", tree.strip())
    match = re.fullmatch(r"((?:\w+::)*)\{(.*)\}", tree)
    if not match:
        return [tree.split(" as ")[0].strip()]
    prefix, inner = match.groups()
    parts, depth, part = [], 0, ""
    for char in inner + ",":
        if char == "," and depth == 0:
            if part.strip():
                parts.append(part)
            part = ""
            continue
        depth += {"{": 1, "}": -1}.get(char, 0)
        part += char
    return [prefix + path for part in parts for path in expand(part)]


class Crate:
    """The files of a crate that are not tests, and what each imports of the others."""

    def __init__(self, name: str, paths: list[str]) -> None:
        self.name = name
        self.code = {module_of(path, name): code_of(path) for path in paths}
        self.paths = {module_of(path, name): path for path in paths}
        self.exports = {module: self.reexports(module) for module in self.code}
        self.imports = {module: self.imports_of(module) for module in self.code}

    def absolute(self, module: tuple[str, ...], path: str) -> tuple[str, ...]:
        """Returns a path that begins with crate, super or self from the root of the crate."""
        here, rest = list(module), path.split("::")
        while rest and rest[0] in {"crate", "super", "self"}:
            word = rest.pop(0)
            here = [] if word == "crate" else here[:-1] if word == "super" else here
        return tuple(here + rest)

    def reexports(self, module: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Returns the names that a module re-exports, with the paths they come from."""
        found = {}
        for tree in re.findall(r"\bpub(?:\([^)]*\))? use ([^;]*);", self.code[module]):
            for path in expand(tree):
                first = path.split("::")[0]
                if first not in {"crate", "super", "self"}:
                    if (*module, first) not in self.code:
                        continue
                    path = "self::" + path
                target = self.absolute(module, path)
                found[target[-1]] = target
        return found

    def defining_module(self, target: tuple[str, ...], depth: int = 0) -> tuple[str, ...] | None:
        """Returns the module that defines what a path names, through re-exports."""
        for length in range(len(target), -1, -1):
            module = target[:length]
            if module not in self.code:
                continue
            rest = target[length:]
            exported = self.exports[module].get(rest[0]) if rest and depth < 8 else None
            if exported and exported != target:
                return self.defining_module(exported + rest[1:], depth + 1)
            return module
        return None

    def imports_of(self, module: tuple[str, ...]) -> set[tuple[str, ...]]:
        """Returns the modules whose items a module names."""
        code = re.sub(r"\bpub(?:\([^)]*\))? use [^;]*;", "", self.code[module])
        paths = [path for tree in USE.findall(code) for path in expand(tree)]
        paths += INLINE.findall(code)
        children = {child[-1] for child in self.code if child[:-1] == module and child}
        for tree in re.findall(r"\buse\s+(\w+::[^;]*);", code):
            paths += ["self::" + path for path in expand(tree) if path.split("::")[0] in children]
        for child in children:
            paths += ["self::" + path for path in re.findall(rf"(?<![\w:])({child}::\w+)", code)]
        targets = {self.defining_module(self.absolute(module, path)) for path in paths}
        return {target for target in targets if target is not None and target != module}

    def circles(self) -> list[list[str]]:
        """Returns the circles between files, each sorted."""
        reach = {module: self.reachable(module) for module in self.code}
        circles = {
            tuple(sorted(self.paths[other] for other in reach[module] if module in reach[other]))
            for module in self.code
            if module in reach[module]
        }
        return [list(circle) for circle in sorted(circles)]

    def reachable(self, module: tuple[str, ...]) -> set[tuple[str, ...]]:
        """Returns every module that a module imports, directly or not."""
        seen: set[tuple[str, ...]] = set()
        waiting = list(self.imports[module])
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting.extend(self.imports[other])
        return seen


def lines_of(code: str) -> int:
    """Returns how many lines hold code."""
    return sum(1 for line in code.splitlines() if line.strip())


def arrows() -> dict[str, list[str]]:
    """Returns the crates of the workspace that each crate depends on outside of tests."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    packages = json.loads(printed)["packages"]
    ours = {package["name"] for package in packages}
    return {
        package["name"].removeprefix("candlewick-"): sorted(
            dependency["name"].removeprefix("candlewick-")
            for dependency in package["dependencies"]
            if dependency["name"] in ours and dependency["kind"] is None
        )
        for package in packages
    }


def main() -> None:
    """Prints the figures."""
    by_crate = defaultdict(list)
    for path in tracked_files():
        if not is_test_path(path):
            by_crate[crate_of(path)].append(path)
    crates = [Crate(name, paths) for name, paths in sorted(by_crate.items())]
    print(f"{'crate':28} {'files':>5} {'lines':>6} {'median':>6} {'largest':>7}")
    every: list[tuple[int, str]] = []
    for crate in crates:
        sizes = sorted((lines_of(code), crate.paths[module]) for module, code in crate.code.items())
        every += sizes
        lines = [size for size, _ in sizes]
        print(
            f"{crate.name:28} {len(lines):5} {sum(lines):6} "
            f"{statistics.median(lines):6.0f} {max(lines):7}  {sizes[-1][1]}"
        )
    lines = [size for size, _ in every]
    largest = max(every)
    print(
        f"{'all':28} {len(lines):5} {sum(lines):6} "
        f"{statistics.median(lines):6.0f} {largest[0]:7}  {largest[1]}"
    )
    graph = arrows()
    print(f"\n{len(graph)} crates, {sum(map(len, graph.values()))} arrows between them")
    for name, uses in sorted(graph.items()):
        print(f"  {name} -> {', '.join(uses) or '-'}")
    circles = [circle for crate in crates for circle in crate.circles()]
    print(f"\n{len(circles)} import circles within crates")
    for circle in circles:
        print("  " + ", ".join(circle))
    words = sum(len(path.read_text("utf-8").split()) for path in (ROOT / "docs").rglob("*.md"))
    print(f"\n{words} words in docs/")
    sys.exit(bool(circles))


if __name__ == "__main__":
    main()
