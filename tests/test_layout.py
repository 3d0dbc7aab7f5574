"""The shape of the project: what may import what, what stays light, and what other programs rely on."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import index
import rag

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parent.parent
ROOMS = ("index", "rag", "ui")
EVERYWHERE = ("citewire", "index", "rag", "ui", "examples", "benchmarks", "tests")
KNOWN_CIRCLES = ({"citewire", "ui"},)
"""`python -m citewire` runs ui.cli, and `citewire doctor` asks whether citewire is ours."""
HEAVY = {
    "datasketch": {"index/duplicate.py"},
    "faiss": {"index/vectors.py"},
    # It has two nouns, bi-encoder and cross-encoder, and each has its file.
    "sentence_transformers": {"index/embedder.py", "index/reranker.py"},
    "onnxruntime": {"index/onnx_encoder.py"},
    "tokenizers": {"index/passes.py"},
    # The reranker's activation and the reference's threads are PyTorch's, which sentence-transformers runs on.
    "torch": {"index/bfloat16_encoder.py", "index/embedder.py", "index/reranker.py"},
    "httpx": {"index/model_server.py"},
    "ray": {"index/cluster.py", "index/shard_actors.py"},
    "llama_cpp": {"rag/llm/native.py"},
    "mcp": {"ui/api/mcp.py"},
    # Each tab of the page wires its own components.
    "gradio": {
        f"ui/web/{part}.py"
        for part in (
            "ask_tab",
            "briefings_tab",
            "check_tab",
            "conversations_tab",
            "frame",
            "library_tab",
            "page",
            "saving",
            "serve",
            "settings_tab",
            "visits",
        )
    },
}
LATER = (
    "numpy",
    "datasketch",
    "torch",
    "faiss",
    "sentence_transformers",
    "onnxruntime",
    "tokenizers",
    "httpx",
    "ray",
    "llama_cpp",
    "gradio",
)
SEEDS = {
    "000_20ab625326f02e24.txt": "29321e29486e4ae37bf9a1a86256dfd7a5d4cc9709d5b826170d339a302f6495",
    "004_458792bda5bb12f3.txt": "5fc68132cfd829078c94b8058e2e0e0c0216826c47d3ca52007f2fa7ee0cff1d",
}
VAGUE = {"utils", "util", "common", "helpers", "helper", "base", "types", "misc", "manager"}


def sources(room: str) -> list[Path]:
    return sorted((TOP / room).rglob("*.py"))


@functools.cache
def statements(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The import statements of a file, at any depth."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def imports(path: Path) -> Iterator[str]:
    """Dotted names of the modules a file imports, at any depth, for type checking or for real."""
    for node in statements(path):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        else:
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def rooms_imported(room: str) -> set[str]:
    return {name.split(".")[0] for path in sources(room) for name in imports(path)} & {*ROOMS, "benchmarks"}


def graph_of_modules() -> dict[str, set[str]]:
    """Module → the modules of this project that it imports, for type checking or when a function runs included."""
    places = {name_of(path): path for room in EVERYWHERE for path in sources(room)}
    graph: dict[str, set[str]] = {}
    for module, path in places.items():
        found: set[str] = set()
        for node in statements(path):
            if isinstance(node, ast.Import):
                found.update(name.name for name in node.names)
            else:
                inner = {name.name: f"{node.module}.{name.name}" for name in node.names}
                found.update(inner[name] if inner[name] in places else str(node.module) for name in inner)
        graph[module] = (found & places.keys()) - {module}
    return graph


def name_of(path: Path) -> str:
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules of which each is reached from every other."""
    reached = {module: reachable(graph, module) for module in graph}
    groups = {frozenset(other for other in reached[module] if module in reached[other]) for module in graph}
    return [set(group) for group in groups if group]


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """All that is imported by a module, directly or not; itself only if it is in a circle."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph[ahead.pop()] - seen
        seen |= new
        ahead += new
    return seen


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(graph_of_modules()) == []


def test_no_top_level_packages_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {room: set() for room in EVERYWHERE}
    for module, others in graph_of_modules().items():
        room = module.split(".")[0]
        rooms[room] |= {other.split(".")[0] for other in others} - {room}
    assert [group for group in circles(rooms) if group not in KNOWN_CIRCLES] == []


def test_rooms_are_used_in_one_direction() -> None:
    assert rooms_imported("index") <= {"index"}
    assert rooms_imported("rag") <= {"index", "rag"}
    assert rooms_imported("ui") <= {"index", "rag", "ui"}


def test_benchmarks_and_the_fixtures_of_the_tests_do_not_need_each_other() -> None:
    assert [
        path for path in sources("benchmarks") if any(name.split(".")[0] == "tests" for name in imports(path))
    ] == []
    shared = [TOP / "tests/conftest.py", TOP / "tests/fakes.py"]
    assert [path for path in shared if any(name.split(".")[0] == "benchmarks" for name in imports(path))] == []


def test_what_runs_a_measurement_knows_no_measurement() -> None:
    names = {name for path in sources("benchmarks/harness") for name in imports(path)}
    assert [name for name in names if name.startswith(("benchmarks.measures", "benchmarks.adapter"))] == []


@pytest.mark.parametrize("library", HEAVY)
def test_each_heavy_library_has_its_files(library: str) -> None:
    users = {
        path.relative_to(TOP).as_posix()
        for room in ROOMS
        for path in sources(room)
        if library in {name.split(".")[0] for name in imports(path)}
    }
    assert users == HEAVY[library]


@pytest.mark.parametrize("package", ["index", "rag"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    program = f"import sys, {package}; print(*sorted(set({LATER!r}) & set(sys.modules)))"
    tried = subprocess.run([sys.executable, "-c", program], cwd=TOP, text=True, capture_output=True, check=True)
    assert tried.stdout.split() == []


def test_public_names_stay() -> None:
    assert {
        "Answer", "Citation", "Claim", "Engine", "Evidence", "Reason", "Settings", "Source", "Token", "Turn",
        "ask",
    } <= set(rag.__all__)  # fmt: skip
    assert {
        "Article", "Error", "Failure", "Hit", "Index", "InputError", "LayoutError", "ModelError", "ReadError",
        "Span", "Stats", "StoreError", "SyncReport",
    } <= set(index.__all__)  # fmt: skip
    for package in (index, rag):
        for name in package.__all__:
            assert getattr(package, name).__name__ == name


def test_no_file_has_a_vague_name_or_that_of_a_room() -> None:
    for room in ROOMS:
        names = {part for path in sources(room) for part in path.relative_to(TOP / room).with_suffix("").parts}
        assert not names & (VAGUE | {"index", "rag", "ui"})


def test_tests_are_flat_and_each_names_its_subject() -> None:
    found = [path.relative_to(TOP / "tests").as_posix() for path in sources("tests")]
    assert [name for name in found if "/" in name] == []
    others = {"conftest.py", "fakes.py"}
    assert [name for name in found if not name.startswith("test_") and name not in others] == []


def test_the_sample_articles_are_byte_for_byte_the_originals() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (TOP / "seeds").iterdir()}
    assert {name: found.get(name) for name in SEEDS} == SEEDS
    assert not [name for name in found if name.endswith(".txt") and name not in SEEDS]


def test_everything_that_is_asked_for_is_pinned() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = {
        re.split(r"[\s<>=!~;\[]", line)[0].lower() for lines in (project["dependencies"], *extras) for line in lines
    }
    lines = (TOP / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert [name for name, version in pins.items() if not re.fullmatch(r"[0-9][0-9a-z.]*", version)] == []
    assert wanted - {"pip"} <= set(pins)  # pip comes with the interpreter
