"""Whether a model's weights are repacked: rag/llm/repack.py and `citewire models tune`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from index import models
from rag.llm import native, repack
from rag.llm.llama import LlamaCpp
from rag.llm.repack import Measured, Speed
from ui import cli

SLOW, FAST = Speed(read_s=0.02, write_s=0.05), Speed(read_s=0.01, write_s=0.06)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder."""
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "some.gguf"
    path.write_bytes(b"GGUF")
    return path


def speeds(monkeypatch: pytest.MonkeyPatch, *, as_in_file: Speed, repacked: Speed) -> list[bool]:
    """Measure these, and note for which they were asked."""
    asked = list[bool]()

    def speed(path: Path, *, repack: bool) -> Speed:
        asked.append(repack)
        return repacked if repack else as_in_file

    monkeypatch.setattr("rag.llm.repack._speed", speed)
    return asked


def test_an_answer_reads_much_and_writes_little() -> None:
    assert Measured(as_in_file=FAST, repacked=SLOW).repack is False
    assert Measured(as_in_file=SLOW, repacked=FAST).repack is True


def test_what_gains_nothing_is_not_worth_the_memory() -> None:
    assert not Measured(SLOW, Speed(SLOW.read_s * 0.97, SLOW.write_s * 0.97)).repack
    assert Measured(SLOW, Speed(SLOW.read_s * 0.9, SLOW.write_s * 0.9)).repack


def test_what_was_measured_is_remembered_and_holds_for_the_next_load(
    folder: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repack.remembered(gguf) is None
    assert repack.repacks(gguf), "llama.cpp's own choice where nothing was measured"
    asked = speeds(monkeypatch, as_in_file=FAST, repacked=SLOW)
    found = repack.measure(gguf)
    assert asked == [False, True]
    assert repack.remembered(gguf) == found
    assert not repack.repacks(gguf)


@pytest.mark.parametrize("change", ["the file", "llama.cpp"])
def test_it_is_measured_anew_for_another_file_or_another_llama_cpp(
    change: str, folder: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds(monkeypatch, as_in_file=FAST, repacked=SLOW)
    repack.measure(gguf)
    if change == "the file":
        gguf.write_bytes(b"GGUF, another one")
    else:
        monkeypatch.setattr(repack, "build", lambda: "another one")
    assert repack.remembered(gguf) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"as_in_file": {}, "repacked": null}',
        "\0",
        "1",
        "[" * 100_000,
        '{"as_in_file": {"read_s": "fast", "write_s": 1}, "repacked": {"read_s": 1, "write_s": 1}}',
        '{"as_in_file": {"read_s": 0, "write_s": 1}, "repacked": {"read_s": 1, "write_s": NaN}}',
    ],
)
def test_a_damaged_note_is_no_note(content: str, folder: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds(monkeypatch, as_in_file=FAST, repacked=SLOW)
    repack.measure(gguf)
    (note,) = (folder / repack.FOLDER).iterdir()
    note.write_text(content)
    assert repack.remembered(gguf) is None
    assert repack.repacks(gguf)


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_memory(
    tmp_path: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "file"))
    speeds(monkeypatch, as_in_file=FAST, repacked=SLOW)
    assert repack.measure(gguf) == Measured(FAST, SLOW)
    assert repack.remembered(gguf) is None


def test_where_it_cannot_be_repacked_only_the_file_is_measured(
    folder: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repack, "can_repack", lambda: False)
    asked = speeds(monkeypatch, as_in_file=SLOW, repacked=FAST)
    assert repack.measure(gguf).repacked is None
    assert asked == [False]
    assert not repack.repacks(gguf)


def test_a_missing_file_is_left_to_whoever_loads_it(folder: Path) -> None:
    assert repack.repacks(folder / "absent.gguf")


@pytest.mark.parametrize("found", [Measured(FAST, SLOW), Measured(SLOW, FAST)])
def test_a_model_is_loaded_as_was_measured(
    found: Measured, folder: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import llama_cpp

    assert found.repacked is not None
    speeds(monkeypatch, as_in_file=found.as_in_file, repacked=found.repacked)
    repack.measure(gguf)
    wanted = list[Any]()
    monkeypatch.setattr(native, "can_repack", lambda: True)
    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", lambda _, params: wanted.append(params))
    with pytest.raises(Exception, match="cannot be loaded"):
        LlamaCpp.load(gguf)
    assert [params.use_extra_bufts for params in wanted] == [found.repack]


@pytest.mark.model
def test_a_real_model_is_measured_and_told_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.gguf"
    path.symlink_to(models.locate("smollm2-135m", "llm"))
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "models"))
    assert cli.main(["models", "tune", str(path), "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["model"] == "own"
    assert shown["as_in_file"]["read_s"] < shown["as_in_file"]["write_s"], "tokens at once are read faster"
    found = repack.remembered(path)
    assert found is not None
    assert found.repack is shown["repack"]


def test_a_pull_measures_a_language_model_once(
    folder: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "pull", lambda name, role: gguf)
    asked = speeds(monkeypatch, as_in_file=FAST, repacked=SLOW)
    for _ in range(2):
        assert cli.main(["models", "pull", "smollm2-135m"]) == 0
    assert len(asked) <= 2
    assert repack.remembered(gguf) is not None
    shutil.rmtree(folder)
    assert cli.main(["models", "tune", str(gguf)]) == 0
    assert "used from now on" in capsys.readouterr().out
