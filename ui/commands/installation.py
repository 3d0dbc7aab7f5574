"""`citewire models …` and `citewire doctor`: whether everything needed is installed."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Never

from index import models
from index.embedder import SentenceEmbedder
from index.errors import InputError, ModelError
from ui import doctor, terminal
from ui.commands.command import OK, add_command, add_group, settings_of
from ui.commands.output import show, show_checks, show_json
from ui.progress import Notes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from index.models import Model
    from rag.llm.repack import Measured
    from ui.commands.command import Commands


def declare(commands: Commands) -> None:
    """Declare the group `models` and `doctor`."""
    group = add_group(commands, "models", "list, download and verify models")
    add_command(group, "list", run_list, "--json")
    command = add_command(group, "pull", run_pull, stopped="stopped; to continue, run: citewire models pull")
    command.add_argument("names", nargs="*", metavar="NAME", help="default: the two models in use by default")
    command = add_command(group, "tune", run_tune, "--json")
    command.add_argument("names", nargs="*", metavar="NAME", help="or a GGUF file; default: the language model in use")
    add_command(group, "recommend", run_recommend, "--json")
    add_command(group, "calibrate", run_calibrate, "--json", "--llm")
    command = add_command(group, "verify", run_verify, "--json")
    command.add_argument("names", nargs="*", metavar="NAME", help="default: all models")
    add_command(commands, "doctor", run_doctor, "--json", "--llm")


def run_list(options: argparse.Namespace) -> int:
    """List the models that Citewire knows, and whether each is downloaded."""
    listed = models.manifest()
    here = {model.name for model in listed if _is_downloaded(model)}
    if not options.json:
        return show(terminal.render_models(listed, here=here))
    names = ("name", "role", "default", "licence", "note", "size_bytes", "untried")
    rows = [{name: getattr(model, name) for name in names} for model in listed]
    return show_json([{**row, "here": row["name"] in here} for row in rows])


def run_pull(options: argparse.Namespace) -> int:
    """Download and verify models; without names, the two that are used by default."""
    for model in _chosen(options.names):
        path = models.pull(model.name, model.role)
        print(f"{model.name}  {path}", flush=True)
        with Notes() as note, suppress(ModelError):  # whoever uses it is told what is wrong with it
            if model.role == "embedder":
                note("comparing ONNX Runtime with PyTorch, once")
                SentenceEmbedder(model.name).load()
            elif model.role == "llm" and not _is_tuned(path):
                note("measuring how it is fastest on this machine, once")
                _tune(path)
    return OK


def run_tune(options: argparse.Namespace) -> int:
    """Measure whether a language model is faster on this machine with its weights repacked by llama.cpp or as they are
    in the file, and use it so from now on."""
    rows = []
    with Notes() as note:
        for name in options.names or [settings_of(None).llm]:
            path = models.locate(name, "llm")
            note(f"measuring {path.name}")
            rows.append((models.identify(name, "llm").name, _tune(path)))
    if options.json:
        return show_json([{"model": name, **dataclasses.asdict(found), "repack": found.repack} for name, found in rows])
    return show(terminal.render_tuning(rows))


def _is_tuned(path: Path) -> bool:
    from rag.llm import repack

    return repack.remembered(path) is not None


def _tune(path: Path) -> Measured:
    from rag.llm import repack

    return repack.measure(path)


def run_recommend(options: argparse.Namespace) -> int:
    """Show which language models fit the memory, the cores and the GPU of this machine."""
    from rag.llm.native import can_use_gpu

    machine = models.Machine.here()
    if machine.gpu_bytes:
        machine = dataclasses.replace(machine, uses_gpu=can_use_gpu())
    found = models.fits(machine)
    if not options.json:
        return show(terminal.render_fits(machine, found))
    best = models.recommended(found)
    about = {"memory_bytes": machine.memory_bytes, "cores": machine.cores, "gpu": machine.gpu}
    return show_json(
        {
            **about,
            "gpu_bytes": machine.gpu_bytes,
            "uses_gpu": bool(machine.gpu_bytes) and machine.uses_gpu,
            "models": [fit.to_dict() for fit in found],
            "recommended": best.model.name if best else None,
        }
    )


def run_calibrate(options: argparse.Namespace) -> int:
    """Ask a language model forty short questions, half of which cannot be answered, to find out how far to believe its
    opinion of its own drafts."""
    from rag.calibrate import calibrate
    from rag.loaded import LoadedModel

    settings = dataclasses.replace(settings_of(options.llm), kv_bytes=0)
    models.require_known(settings.llm, "llm")

    def no_cache() -> Never:
        raise AssertionError("kv_bytes is 0")

    loaded = LoadedModel(settings, no_cache)
    try:
        with Notes() as note:
            llm = loaded.of(settings)
            found = calibrate(llm, settings, report=lambda done, total: note(f"asked {done} of {total} questions"))
    finally:
        loaded.close()
    assert found is not None  # noqa: S101 - nothing cancels it
    about = {"model": llm.name, **found}
    return show_json(about) if options.json else show(terminal.render_calibration(about))


def run_verify(options: argparse.Namespace) -> int:
    """Compare the files of models with their checksums; without names, of all that are downloaded."""
    checks = [doctor.check_model(model, needed=bool(options.names)) for model in _chosen(options.names, every=True)]
    return show_checks(checks, as_json=options.json)


def run_doctor(options: argparse.Namespace) -> int:
    """Check everything that Citewire needs, and show how to fix what is wrong."""
    return show_checks(doctor.examine(options.home, llm=settings_of(options.llm).llm), as_json=options.json)


def _chosen(names: Sequence[str], *, every: bool = False) -> list[Model]:
    """The models of these names; without names, all of them or the default ones."""
    known = {model.name: model for model in models.manifest()}
    for name in names:
        if name not in known:
            raise InputError(f"there is no model {name!r}; choose from {', '.join(known)}")
    return [known[name] for name in names] or [model for model in known.values() if every or model.default]


def _is_downloaded(model: Model) -> bool:
    return all((models.models_dir() / model.name / file.path).is_file() for file in model.files)
