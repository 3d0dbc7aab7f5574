"""What the doctor finds wrong, and what it says to do."""

from __future__ import annotations

import json
import sys
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

import index.search
from index import Article, Index, models
from index.runtime import Comparison, Runtime
from tests.fakes import BagOfWordsEmbedder
from ui import cli, doctor
from ui.doctor import Status

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def light_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.search, "SentenceEmbedder", BagOfWordsEmbedder)


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "models"
    monkeypatch.setenv("CITEWIRE_MODELS", str(place))
    return place


def fill(home: Path) -> None:
    with Index.open(home) as opened:
        opened.add([Article("a", "Talks broke down in 2009. They were held in Beijing.")])


def test_an_old_python_is_wrong() -> None:
    assert doctor.check_python((3, 11, 0)).status is Status.FINE
    old = doctor.check_python((3, 10, 14))
    assert (old.status, old.found) == (Status.WRONG, "3.10.14; 3.11 or newer is needed")


def test_compiled_libraries_load_here() -> None:
    for name in doctor.NATIVE:
        check = doctor.check_native(name)
        assert (check.status, check.mend) == (Status.FINE, ""), check
        assert check.found[0].isdigit()


def test_a_library_that_cannot_be_imported_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.NATIVE, "FAISS", ("no_such_module", "0"))
    check = doctor.check_native("FAISS")
    assert check.status is Status.WRONG
    assert "no_such_module" in check.found
    assert "pip install" in check.mend


@pytest.mark.skipif(sys.platform == "win32", reason="processes end by a signal on POSIX only")
def test_a_library_built_for_another_processor_does_not_take_the_doctor_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = "__import__('os').kill(__import__('os').getpid(), 4)"
    monkeypatch.setitem(doctor.NATIVE, "FAISS", ("os", call))
    check = doctor.check_native("FAISS")
    assert check.status is Status.WRONG
    assert "signal 4" in check.found


def test_only_models_in_use_must_be_there(no_models: Path) -> None:
    checks = {check.name: check for check in doctor.check_models()}
    assert checks["model all-minilm-l6-v2"].status is Status.WRONG
    assert checks["model qwen2.5-coder-1.5b"].mend == "citewire models pull qwen2.5-coder-1.5b"
    assert checks["model smollm2-135m"].status is Status.ABSENT
    checks = {check.name: check for check in doctor.check_models("smollm2-135m")}
    assert checks["model smollm2-135m"].status is Status.WRONG
    assert checks["model qwen2.5-coder-1.5b"].status is Status.ABSENT


def test_a_damaged_model_is_wrong_even_when_it_is_not_in_use(no_models: Path) -> None:
    file = models.choose("smollm2-135m", "llm").files[0]
    place = no_models / "smollm2-135m" / file.path
    place.parent.mkdir(parents=True)
    with place.open("wb") as damaged:
        damaged.truncate(file.size)
    check = {check.name: check for check in doctor.check_models()}["model smollm2-135m"]
    assert (check.status, check.mend) == (Status.WRONG, "citewire models pull smollm2-135m")
    assert "sha256" in check.found


def test_a_model_file_of_your_own_is_accepted(no_models: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and more")
    checks = {check.name: check for check in doctor.check_models(str(own))}
    assert checks["model in use"].status is Status.FINE
    assert checks["model qwen2.5-coder-1.5b"].status is Status.ABSENT
    own.write_bytes(b"no model")
    assert [check.status for check in doctor.check_models(str(own))] == [Status.WRONG]


def test_looking_does_not_make_a_home(home: Path) -> None:
    check = doctor.check_index()
    assert (check.status, check.mend) == (Status.ABSENT, "citewire index add PATH")
    assert not home.exists()


def test_a_sound_index_is_fine(home: Path) -> None:
    fill(home)
    check = doctor.check_index()
    assert (check.status, check.found) == (Status.FINE, f"1 articles, 2 sentences in {home}")


def test_a_damaged_snapshot_is_found(home: Path) -> None:
    fill(home)
    (snapshot,) = home.glob("*.faiss")
    content = bytearray(snapshot.read_bytes())
    content[-1] ^= 1
    snapshot.write_bytes(content)
    assert doctor.check_index().status is Status.WRONG


def test_a_file_that_is_no_database_is_found(home: Path) -> None:
    home.mkdir()
    (home / index.search.DATABASE).write_bytes(b"no database, " * 1000)
    check = doctor.check_index()
    assert check.status is Status.WRONG
    assert "citewire index rebuild" in check.found + check.mend


def test_an_embedder_for_many_languages_is_advised_where_many_articles_are_not_english(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(home)
    (check,) = doctor.check_languages()
    assert (check.status, check.found) == (Status.FINE, "English 100%")
    with Index.open(home) as opened:
        opened.add([Article("b", "Die Gespräche sind in der Stadt nicht beendet worden, und das ist gut.")])
    (check,) = doctor.check_languages()
    assert check.status is Status.ABSENT
    assert check.found.startswith("English 50%, German 50%")
    assert "citewire models pull multilingual-e5-small" in check.mend
    assert "CITEWIRE_EMBEDDER=multilingual-e5-small" in check.mend
    monkeypatch.setenv("CITEWIRE_EMBEDDER", "multilingual-e5-small")
    assert [check.status for check in doctor.check_languages()] == [Status.FINE]


def test_too_little_space_is_found(no_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage(10**9, 10**9 - 10**6, 10**6))
    assert [check.status for check in doctor.check_space()] == [Status.WRONG, Status.WRONG]
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage(10**12, 0, 10**12))
    assert [check.status for check in doctor.check_space()] == [Status.FINE, Status.FINE]


def test_the_command_fails_when_something_needed_is_wrong(
    no_models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "NATIVE", {})
    assert cli.main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "✗ model all-minilm-l6-v2: not downloaded\n    → citewire models pull all-minilm-l6-v2\n" in shown
    assert cli.main(["doctor", "--json"]) == 1
    by_name = {check["name"]: check["status"] for check in json.loads(capsys.readouterr().out)}
    assert by_name["Python"] == "fine"
    assert by_name["model all-minilm-l6-v2"] == "wrong"


@pytest.mark.model
def test_everything_is_fine_here(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(home)
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "✗" not in shown
    assert "✓ model qwen2.5-coder-1.5b: verified" in shown


@pytest.mark.parametrize(("cosine", "reason", "status"), [(0.9999, "", "fine"), (0.5, "its vectors differ", "absent")])
def test_what_computes_the_vectors_is_shown(
    cosine: float, reason: str, status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "locate", lambda name, role: tmp_path)
    monkeypatch.setattr(Runtime, "remembered", lambda runtime, folder: Comparison("", cosine, reason))
    check = doctor.check_runtime(models.choose(None, "embedder"))
    assert check.status == status
    assert (reason or "least cosine 0.999900") in check.found
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert "not installed" in doctor.check_runtime(models.choose(None, "embedder")).found


def test_what_computes_the_vectors_of_large_syncs_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(models, "locate", lambda name, role: tmp_path)
    embedder = models.choose(None, "embedder")
    monkeypatch.setattr(doctor, "is_possible", lambda: False)
    assert "no bfloat16" in doctor.check_runtime_for_many(embedder).found
    monkeypatch.setattr(doctor, "is_possible", lambda: True)
    assert "not compared yet" in doctor.check_runtime_for_many(embedder).found
    for cosine, reason, shown in ((0.9999, "", "least cosine 0.999900"), (0.5, "its vectors differ", "the same, for")):
        monkeypatch.setattr(Runtime, "remembered", lambda runtime, folder, c=cosine, r=reason: Comparison("", c, r))
        check = doctor.check_runtime_for_many(embedder)
        assert (check.status, shown in check.found) == (Status.FINE, True)
