"""An adapter makes a model a better judge, and touches nothing else; and how one is learned."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import gguf
import numpy as np
import pytest

from benchmarks.adapter import examples, train
from benchmarks.harness.dataset import Dataset, Question
from index import Index
from index.errors import ModelError
from index.models import locate
from rag import prompt
from rag.grounding import answerability
from rag.llm.kv_cache import KVCache
from rag.llm.llama import LlamaCpp
from rag.settings import Settings
from tests.test_llm import FOX, ask

DEFAULT = "qwen2.5-coder-1.5b"
ASKED = replace(FOX, instructions=prompt.instructions())
SAID = replace(ASKED, question="Where did the fox sleep?", task=prompt.ANSWERABLE)
NOT_SAID = replace(SAID, question="What did the mayor of Lyon earn in 1931?")


def judge(llm: LlamaCpp, asked: prompt.Prompt) -> float:
    return llm.judge(asked, cancel=threading.Event())


def test_only_models_that_were_taught_have_one() -> None:
    path = answerability.adapter(DEFAULT)
    assert path is not None
    assert path.read_bytes()[:4] == b"GGUF"
    assert answerability.adapter("some-other") is None


@pytest.mark.model
def test_it_judges_and_does_not_write(tmp_path: Path) -> None:
    path = locate(DEFAULT, "llm")
    kv_cache = KVCache(lambda article: tmp_path / (article or "none"), tmp_path, limit_bytes=500_000_000)
    plain = LlamaCpp.load(path, sha256="1.5", kv_cache=kv_cache)
    text, odds = ask(plain, ASKED), judge(plain, SAID)
    plain.close()
    kept = kv_cache.size()
    taught = LlamaCpp.load(path, sha256="1.5", kv_cache=kv_cache, adapter=answerability.adapter(DEFAULT))
    assert ask(taught, ASKED) == text
    said, not_said = judge(taught, SAID), judge(taught, NOT_SAID)
    assert said > not_said + 3
    assert abs(said - odds) > 0.1
    assert ask(taught, ASKED) == text  # whatever was judged before
    assert judge(taught, SAID) == pytest.approx(said, abs=0.02)
    assert kv_cache.size() == kept  # what was read of the passages is good for both
    taught.close()


@pytest.mark.model
def test_that_of_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match="is no adapter of"):
        LlamaCpp.load(locate("smollm2-135m", "llm"), adapter=answerability.adapter(DEFAULT))


def tiny(path: Path) -> Path:
    """A Qwen 2 of two layers that knows nothing."""
    letters = [chr(one if 33 <= one < 127 else 256 + one) for one in range(256)]
    words = ["Ye", "Yes", "No", "<|im_start|>", "<|im_end|>"]
    draw = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(1024)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*letters, *words])
    writer.add_token_types([gguf.TokenType.NORMAL] * (len(letters) + 3) + [gguf.TokenType.CONTROL] * 2)
    writer.add_token_merges(["Y e", "Ye s", "N o"])
    writer.add_eos_token_id(len(letters) + 4)
    shapes = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64)}
    shapes |= {"ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96)}
    for layer in range(2):
        for name, shape in shapes.items():
            weights = draw.normal(size=shape).astype(np.float32) / 8
            writer.add_tensor(f"blk.{layer}.{name}.weight", weights)
            if name in ("attn_q", "attn_k", "attn_v"):
                writer.add_tensor(f"blk.{layer}.{name}.bias", draw.normal(size=shape[:1]).astype(np.float32) / 8)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(64, np.float32))
    writer.add_tensor("output_norm.weight", np.ones(64, np.float32))
    writer.add_tensor("token_embd.weight", draw.normal(size=(len(letters) + 5, 64)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def trainer(tmp_path: Path) -> train.Trainer:
    """Three questions, asked of the same passages, to which the answers are Yes, No, Yes."""
    model = tiny(tmp_path / "tiny.gguf")
    llm = LlamaCpp.load(model)
    made = examples.ExampleMaker(Dataset((), ()), Mock(spec=Index), llm, Settings())
    lines = [made.constants()]
    for text, says in (("Where?", True), ("When?", False), ("Who?", True)):
        question = Question(text, frozenset({"a"} if says else ()), "title", answers=("Yes",), paragraph="a")
        asked = replace(ASKED, question=text)
        lines.append(made._example("answerable", question, asked, says=says))
        if says:
            lines += [made._example(task, question, asked, says=True) for task in ("draft", "correct")]
    llm.close()
    path = tmp_path / "lessons.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return train.Trainer(train.Model(model, "cpu"), path)


@pytest.mark.model
def test_what_is_learned_is_what_the_model_then_does(trainer: train.Trainer, tmp_path: Path) -> None:
    asked = trainer.examples(trainer.sentences(), [])
    adapter = train.Adapter(trainer.model, train.MODULES["all"], 4, 8.0)
    before = odds(trainer, asked, None)
    assert odds(trainer, asked, adapter) == before  # its second matrices are zero
    trainer.train(asked, adapter, epochs=60, rate=1e-2, save=lambda: None)
    after = odds(trainer, asked, adapter)
    assert [one > 0 for one in after] == [True, False, True]
    adapter.write(tmp_path / "adapter.gguf", trainer.model.architecture, {"general.name": "tiny"})
    for file, expected in ((None, before), (tmp_path / "adapter.gguf", after)):
        llm = LlamaCpp.load(tmp_path / "tiny.gguf", adapter=file)
        task = replace(ASKED, task=prompt.ANSWERABLE)
        found = [judge(llm, replace(task, question=text)) for text in ("Where?", "When?", "Who?")]
        llm.close()
        assert found == pytest.approx(expected, abs=0.1)


def odds(trainer: train.Trainer, asked: list[train.Example], adapter: train.Adapter | None) -> list[float]:
    """Of Yes against No, for each question whether it can be answered."""
    judged = [one for one in asked if one.rule["task"] == "answerable"]
    logits = trainer.logits(judged, adapter)[0].detach()
    return (logits[:, trainer.yes] - logits[:, trainer.no]).tolist()
