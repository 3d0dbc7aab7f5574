"""Doctor: check what Citewire needs to work, and say how to fix it. Changes nothing, prints nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import models
from index.bfloat16_encoder import BFLOAT16, is_possible
from index.embedder import VARIABLE, named
from index.errors import Error, ModelError
from index.home import DATABASE, loose, resolve
from index.model_address import Address, is_address
from index.model_server import ModelServer
from index.onnx_encoder import ONNX
from rag import power
from rag.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.models import Model

PYTHON = (3, 11)
NATIVE = {
    "llama.cpp": ("llama_cpp", "llama_cpp.llama_print_system_info()"),
    "FAISS": ("faiss", "faiss.IndexFlatIP(2)"),
    "PyTorch": ("torch", "torch.ones(2).sum()"),
}
"""Compiled libraries: the module, and a call that needs its shared library to load and run."""
IMPORT_TIMEOUT_S = 120
SERVER_S = 15.0
"""Longest wait for a model server to say which models it has."""
MULTILINGUAL = "multilingual-e5-small"
"""The embedder of models.txt for many languages."""
FOREIGN_SHARE = 0.2
"""Share of articles in other languages than English from which it is advised: below, most of what is asked is found
better by the default."""
SPARE_BYTES = 500_000_000
"""Free space that indexing and the KV cache need besides the models."""
REINSTALL = "reinstall it: .venv/bin/pip install --force-reinstall --no-deps --no-cache-dir"


class Status(StrEnum):
    """The result of a check; only WRONG keeps Citewire from working."""

    FINE = "fine"
    ABSENT = "absent"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and in `mend` the command or step that fixes it if something is wrong."""

    name: str
    status: Status
    found: str
    mend: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {"name": self.name, "status": str(self.status), "found": self.found, "mend": self.mend}


def examine(home: str | Path | None = None, *, llm: str | None = None) -> Iterator[Check]:
    """Yield every check as it is made. `llm` is the model in use, a name or a path; None is the default."""
    yield check_python()
    yield check_packages()
    for name in NATIVE:
        yield check_native(name)
    yield from check_models(llm)
    yield check_read_ahead()
    yield check_index(home)
    yield from check_languages(home)
    yield from check_modes(home)
    yield from check_space(home)


def check_python(version: Sequence[int] = sys.version_info[:3]) -> Check:
    """Whether the running Python is new enough."""
    found = ".".join(map(str, version))
    if tuple(version) >= PYTHON:
        return Check("Python", Status.FINE, found)
    wanted = ".".join(map(str, PYTHON))
    return Check(
        "Python", Status.WRONG, f"{found}; {wanted} or newer is needed", "install a newer Python, then: make clean"
    )


def check_packages() -> Check:
    """Whether Python finds our own `index`, `rag` and `ui`, and not a file of that name elsewhere."""
    try:
        import citewire
    except ImportError as error:
        return Check("packages", Status.WRONG, str(error), "rename that file, or run from another folder")
    return Check("packages", Status.FINE, str(Path(citewire.__file__).parent.parent))


def check_native(name: str) -> Check:
    """Whether the compiled library `name` of NATIVE loads and runs here.

    It is tried in a process of its own: a library built for another processor dies of a signal, not of an
    exception.
    """
    module, call = NATIVE[name]
    program = f"import importlib, sys; {module} = importlib.import_module({module!r}); {call}"
    program += f"; sys.stdout.write({module}.__version__)"
    try:
        tried = subprocess.run(  # noqa: S603 -- our own interpreter and a program made of constants
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check(name, Status.WRONG, f"did not load within {IMPORT_TIMEOUT_S} s", _reinstall(module))
    if tried.returncode == 0:
        return Check(name, Status.FINE, tried.stdout.strip())
    if tried.returncode < 0:
        found = f"crashes with signal {-tried.returncode}; it may be built for another processor"
    else:
        found = (tried.stderr.strip().splitlines() or ["cannot be loaded"])[-1]
    return Check(name, Status.WRONG, found, _reinstall(module))


def check_read_ahead() -> Check:
    """What the model reads while nobody asks, and whether it does at the moment."""
    chosen = Settings.from_env().read_ahead
    if chosen == "off":
        return Check("reading ahead", Status.FINE, "off")
    waits = "; waits, for the machine runs on its battery" if power.on_battery() else ""
    return Check("reading ahead", Status.FINE, f"{chosen}{waits}")


def check_models(llm: str | None = None) -> Iterator[Check]:
    """Presence and sha256 of every model: those in use must be there, others only must not be damaged."""
    try:
        listed = {model.name: model for model in models.manifest()}
        used = set()
        if is_address(named()):
            yield check_server(named() or "", "embedder")
        else:
            used.add(models.choose(named(), "embedder").name)
        if is_address(llm):
            yield check_server(llm or "", "model")
        elif llm is None or llm in listed:
            used.add(models.choose(llm, "llm").name)
        else:
            yield Check("model in use", Status.FINE, f"{models.locate(llm, 'llm')}, your own file, not verified")
    except ModelError as error:
        yield Check("model in use", Status.WRONG, str(error), "citewire models list")
        return
    for name, model in listed.items():
        checked = check_model(model, needed=name in used)
        yield checked
        if model.role == "embedder" and name in used and checked.status is Status.FINE:
            yield check_runtime(model)
            yield check_runtime_for_many(model)


def check_runtime(model: Model) -> Check:
    """What computes the vectors of an embedder that is there: ONNX Runtime or PyTorch."""
    name = "embedder runs on"
    found = ONNX.remembered(models.locate(model.name, "embedder"))
    if find_spec("onnxruntime") is None:
        slow = "PyTorch, more slowly, for ONNX Runtime is not installed"
        return Check(name, Status.ABSENT, slow, "pip install --constraint constraints.txt onnxruntime")
    if found is None:
        return Check(name, Status.FINE, "not compared yet; the first use compares ONNX Runtime with PyTorch")
    if not found.is_near:
        return Check(name, Status.ABSENT, f"PyTorch, more slowly, for with ONNX Runtime {found.reason}")
    return Check(name, Status.FINE, f"ONNX Runtime, with the vectors of PyTorch (least cosine {found.cosine:.6f})")


def check_runtime_for_many(model: Model) -> Check:
    """What computes the vectors of so many documents that loading PyTorch pays."""
    name = "large syncs embed with"
    if not is_possible():
        return Check(name, Status.FINE, "the same: the processor has no bfloat16, or PyTorch is not installed")
    found = BFLOAT16.remembered(models.locate(model.name, "embedder"))
    if found is None:
        return Check(name, Status.FINE, "not compared yet; the first large sync compares PyTorch in bfloat16")
    if not found.is_near:
        return Check(name, Status.FINE, f"the same, for with PyTorch in bfloat16 {found.reason}")
    return Check(name, Status.FINE, f"PyTorch in bfloat16 (least cosine {found.cosine:.6f})")


def check_server(address: str, what: str) -> Check:
    """Whether a model server answers, and has the model that its address names."""
    place = Address.parse(address)
    leaves = "" if place.is_here else "; text of questions and articles is sent to it, another machine"
    key_variable, flag = {"model": ("CITEWIRE_LLM_KEY", "--llm")}.get(what, ("CITEWIRE_EMBEDDER_KEY", "--embedder"))
    server = ModelServer(place, key_variable=key_variable, flag=flag, total_s=SERVER_S)
    try:
        model = server.model()
    except ModelError as error:
        return Check(f"{what} in use", Status.WRONG, str(error), f"curl {place.base}/models")
    finally:
        server.close()
    return Check(f"{what} in use", Status.FINE, f"{place.named(model['id'])} answers{leaves}")


def check_model(model: Model, *, needed: bool) -> Check:
    """Presence and sha256 of every file of a model. Having none of them is wrong only when it is `needed`."""
    name, mend = f"model {model.name}", f"citewire models pull {model.name}"
    wrong = {path: status for path, status in models.verify(model).items() if status != models.Status.OK}
    if not wrong:
        return Check(name, Status.FINE, "verified")
    if set(wrong.values()) == {models.Status.MISSING} and len(wrong) == len(model.files):
        return Check(name, Status.WRONG if needed else Status.ABSENT, "not downloaded", mend)
    return Check(name, Status.WRONG, "; ".join(f"{path}: {status}" for path, status in wrong.items()), mend)


def check_index(home: str | Path | None = None) -> Check:
    """Whether database and FAISS snapshot in `home` are sound. A home without an index is left alone."""
    place = resolve(home)
    if not (place.is_dir() and any(place.iterdir())):
        return Check("index", Status.ABSENT, f"nothing indexed yet in {place}", "citewire index add PATH")
    from index import Index

    try:
        with Index.open(place) as index:
            problems, stats, is_altered = index.check(), index.stats(), bool(index.faults())
    except (Error, OSError) as error:
        return Check("index", Status.WRONG, str(error))
    if problems:
        # A search builds a snapshot that is missing or damaged anew.
        mend = (
            "citewire index check --repair"
            if is_altered
            else "ask a question; if the problem stays: citewire index rebuild"
        )
        return Check("index", Status.WRONG, "; ".join(problems), mend)
    found = f"{stats.articles} articles, {stats.sentences} sentences in {place}"
    return Check("index", Status.FINE, found)


def check_languages(home: str | Path | None = None) -> Iterator[Check]:
    """Whether the embedder knows the languages of most articles; no check where there are none, or they are altered."""
    place = resolve(home)
    if not (place / DATABASE).is_file():
        return
    from index import Index

    try:
        embedder = models.choose(named(), "embedder")
        with Index.open(place) as index:
            shares = index.languages()
    except (Error, OSError):  # check_index says what is wrong
        return
    if not shares:
        return
    found = ", ".join(f"{language} {share:.0%}" for language, share in list(shares.items())[:4])
    advised = next((model for model in models.manifest() if model.name == MULTILINGUAL), None)
    if not embedder.default or advised is None or 1 - shares.get("English", 0.0) < FOREIGN_SHARE:
        yield Check("languages", Status.FINE, found)
        return
    yield Check(
        "languages",
        Status.ABSENT,
        f"{found}; the embedder {embedder.name} knows English, so articles in other languages are found by their words",
        f"to try one for many languages, not tested by this project: citewire models pull {advised.name}, then with "
        f"{VARIABLE}={advised.name} set for good: citewire index rebuild",
    )


def check_modes(home: str | Path | None = None) -> Iterator[Check]:
    """Files of the home that other users can read; no check if there are none."""
    place = resolve(home)
    if found := loose(place):
        some = ", ".join(str(path.relative_to(place.parent)) for path in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        yield Check("modes", Status.WRONG, f"other users can read {some}{more}", f"chmod -R go-rwx {place}")


def check_space(home: str | Path | None = None) -> Iterator[Check]:
    """Whether there is enough space for missing models and for an index."""
    missing = sum(
        file.size
        for model in models.manifest()
        for file in model.files
        if model.default and not (models.models_dir() / model.name / file.path).is_file()
    )
    for name, place, needed in (
        ("space for the index", resolve(home), SPARE_BYTES),
        ("space for models", models.models_dir(), missing),
    ):
        free = shutil.disk_usage(_existing(place)).free
        found = f"{_gigabytes(free)} free for {place}"
        if free >= needed:
            yield Check(name, Status.FINE, found)
        else:
            yield Check(name, Status.WRONG, f"{found}, {_gigabytes(needed)} needed", f"free some space for {place}")


def _reinstall(module: str) -> str:
    project = {"llama_cpp": "llama-cpp-python", "faiss": "faiss-cpu"}.get(module, module)
    return f"{REINSTALL} --constraint constraints.txt {project}"


def _existing(place: Path) -> Path:
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
