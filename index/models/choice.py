"""Choice: which model a name means, and where it lies. A name is in models.txt, or the path of a GGUF file, or the
address of a model server (index/model_address.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.errors import ModelError
from index.model_address import Address, is_address
from index.models.manifest import Model, manifest, manifest_path
from index.models.verified import Status, models_dir, statuses


def choose(name: str | None, role: str) -> Model:
    """The model called `name`, or the default of `role`. Raises ModelError, listing the names."""
    models = [model for model in manifest() if model.role == role]
    for model in models:
        if model.name == name or (name is None and model.default):
            return model
    wanted = f"no default {role}" if name is None else f"no {role} called {name!r}"
    names = ", ".join(model.name for model in models) or "none"
    raise ModelError(
        f"{manifest_path()} lists {wanted}; it lists: {names}; the path of a folder or of a .gguf file works too, "
        "and http://host:port/v1#model of a model server"
    )


def require_known(name: str | None, role: str) -> None:
    """Raise ModelError, listing the names, unless `locate` knows `name` or it is the address of a model server; whether
    the model is there is not asked. Raises InputError for an address that cannot be used."""
    if name is not None and is_address(name):
        Address.parse(name)
    elif own_gguf(name) is None:
        choose(name, role)


@dataclass(frozen=True, slots=True)
class Identity:
    """A model as answers name it. `sha256` and `mode` are "" for a file of the user's own; `mode` also where models.txt
    gives none."""

    name: str
    sha256: str = ""
    mode: str = ""


def identify(name: str | None, role: str) -> Identity:
    """What is known of the model that `locate` would find, or that a model server has, there or not. Raises ModelError
    for an unknown one."""
    if name is not None and is_address(name):
        address = Address.parse(name)
        return Identity(address.named(address.model))
    own = _own_path(name)
    if own is not None:
        return Identity(own.stem)
    model = choose(name, role)
    return Identity(model.name, model.files[0].sha256, model.mode or "")


def locate(name: str | None, role: str) -> Path:
    """Where a verified model lies: its .gguf file, or its folder.

    `name` may also be the path of a GGUF file. Raises ModelError, with the command that
    mends it, when a file is missing or is not what models.txt says. A file is hashed once, and again when its
    size or time of change differs.
    """
    if name is not None and is_address(name):
        raise ModelError(f"{Address.parse(name).host} is a model server, and the {role} here needs a file; name one")
    own = own_gguf(name)
    if own is not None:
        return own
    model = choose(name, role)
    for path, status in statuses(model, rehash=False).items():
        if status is not Status.OK:
            place = models_dir() / model.name / path
            raise ModelError(f"{model.name}: {place}: {status}; run: citewire models pull {model.name}")
    return entry(model)


def _own_path(name: str | None) -> Path | None:
    """The path of the user's own model that `name` is, there or not; None for what may be a listed name."""
    if name is None or is_address(name) or any(model.name == name for model in manifest()):
        return None
    path = Path(name).expanduser()
    return None if path.suffix.lower() != ".gguf" and path.name == name else path


def own_gguf(name: str | None) -> Path | None:
    """The user's own GGUF file, when `name` is a path and no listed name. Raises ModelError when it is not there."""
    path = _own_path(name)
    if path is None:
        return None
    if not path.is_file():
        raise ModelError(f"{path} is not there; give the path of a model that is, or a name from models.txt")
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise ModelError(f"{path} is not a GGUF file: it does not begin with the letters GGUF")
    return path.absolute()


def entry(model: Model) -> Path:
    """Where a model lies once it is complete."""
    folder = models_dir() / model.name
    return folder / model.files[0].path if model.is_gguf else folder
