"""Train a low-rank adapter (LoRA) of a model with the examples that benchmarks/adapter/examples.py makes for it.

Training sees what llama.cpp will run: the weights as they are quantized, and an adapter that acts on the question and
what follows it, never on instructions, passages and earlier turns, which are read apart and put together (an activated
LoRA: Greenewald et al., arXiv 2504.12397). So the kept KV of passages stays valid.

The target of an answer is worded by the model itself: it gets the answer that SQuAD expects and is asked for a
sentence.

Needs torch, tokenizers and gguf, and of this project only benchmarks/harness/matching.py. A GPU takes minutes, two
cores take days. `python -m benchmarks.adapter.train LESSONS.jsonl MODEL.gguf OUT.gguf`
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from torch.nn import functional

from benchmarks.harness import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

HINT = 'The answer is "{answer}". Write it as one short, complete sentence, in the words of the passages.'
SWAPPED = 0.3
"""Of answerable questions, those whose answer to another one is to be told apart."""
LONGEST, SENTENCE = 96, 48
"""Tokens of an answer to an open question, and of others."""
BATCH = 32
WARM_UP = 0.05
WAY = "attention:16:32:1.5:2e-4"
"""What was kept (docs/experiments.md): the modules, rank, alpha, epochs, rate."""
PRE_TOKENS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen 2 cuts a text before it makes tokens; llama.cpp's "qwen2"."""
MODULES = {
    "attention": ("attn_q", "attn_k", "attn_v", "attn_output"),
    "all": ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"),
}


@dataclass(frozen=True)
class Example:
    """A prompt and what is to come after it. `tail` is the question, the task and what closes the prompt; `rule` is
    what of the prompt was given, for telling how well it was learned."""

    blocks: tuple[tuple[int, ...], ...]
    tail: tuple[int, ...]
    target: tuple[int, ...] = ()
    rule: Mapping[str, Any] = field(default_factory=dict)


class Adapter:
    """For some matrices of each layer two small ones, the second of them zero at first."""

    def __init__(self, model: Model, modules: Sequence[str], rank: int, alpha: float) -> None:
        """Of `rank`; what they add is scaled by `alpha` / `rank`."""
        draw = torch.Generator().manual_seed(7)
        self.rank, self.alpha, self.scale = rank, alpha, alpha / rank
        self.pairs: dict[str, tuple[Tensor, Tensor]] = {}
        for layer in range(model.layers):
            for module in modules:
                name = f"blk.{layer}.{module}.weight"
                out, into = model.weights[name].shape
                down = torch.randn(rank, into, generator=draw) / math.sqrt(into)
                self.pairs[name] = (
                    down.to(model.device).requires_grad_(),
                    torch.zeros(out, rank, device=model.device, requires_grad=True),
                )

    def parameters(self) -> list[Tensor]:
        """What is learned."""
        return [one for pair in self.pairs.values() for one in pair]

    def write(self, path: Path, architecture: str, about: Mapping[str, str]) -> None:
        """As a GGUF file that llama.cpp loads beside the model."""
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", self.alpha)
        for key, text in about.items():
            writer.add_string(key, text)
        for name, (down, up) in self.pairs.items():
            writer.add_tensor(f"{name}.lora_a", down.detach().half().cpu().numpy())
            writer.add_tensor(f"{name}.lora_b", up.detach().half().cpu().numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


class Model:
    """A Qwen 2 in torch, its weights those of a GGUF file, which stay as they are."""

    def __init__(self, path: Path, device: str) -> None:
        """Read and unpack the file."""
        reader = gguf.GGUFReader(path)
        self.device = device
        self.architecture = str(reader.fields["general.architecture"].contents())
        if self.architecture != "qwen2":
            raise SystemExit(f"{path} is of the architecture {self.architecture}; only qwen2 can be tuned")
        self._fields = reader.fields
        self.layers = int(self._of("block_count"))
        self.heads, self.kv_heads = int(self._of("attention.head_count")), int(self._of("attention.head_count_kv"))
        self.width = int(self._of("embedding_length")) // self.heads
        self.epsilon = float(self._of("attention.layer_norm_rms_epsilon"))
        self._base = float(self._of("rope.freq_base"))
        kind = torch.bfloat16 if device != "cpu" else torch.float32
        self.kind = kind

        def unpacked(tensor: Any) -> tuple[str, Tensor]:
            found = torch.tensor(gguf.quants.dequantize(tensor.data, tensor.tensor_type))
            return tensor.name, found.to(device, kind)

        with ThreadPoolExecutor() as pool:
            self.weights: dict[str, Tensor] = dict(pool.map(unpacked, reader.tensors))
        self.output = self.weights.get("output.weight", self.weights["token_embd.weight"])
        self.tokenizer = self._tokenizer()
        self.end = int(reader.fields["tokenizer.ggml.eos_token_id"].contents())

    def _of(self, key: str) -> Any:
        return self._fields[f"{self.architecture}.{key}"].contents()

    def _tokenizer(self) -> Tokenizer:
        tokens = self._fields["tokenizer.ggml.tokens"].contents()
        merges = [tuple(one.split(" ")) for one in self._fields["tokenizer.ggml.merges"].contents()]
        made = Tokenizer(tokenizer_models.BPE({token: place for place, token in enumerate(tokens)}, merges))
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(PRE_TOKENS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        made.decoder = decoders.ByteLevel()
        return made

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text."""
        return tuple(self.tokenizer.encode(text).ids)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens."""
        return str(self.tokenizer.decode(list(tokens)))

    def rotated(self, heads: Tensor, positions: Tensor) -> Tensor:
        """Heads (batch, tokens, heads, width) turned by where they stand (RoPE, in halves)."""
        half = self.width // 2
        speed = self._base ** (-torch.arange(half, device=self.device, dtype=torch.float32) / half)
        angle = positions[..., None, None].float() * speed
        cos, sin = angle.cos(), angle.sin()
        one, other = heads[..., :half].float(), heads[..., half:].float()
        return torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1).to(heads.dtype)

    def run(
        self,
        tokens: Tensor,
        positions: Tensor,
        valid: Tensor,
        *,
        before: Prefixes | None = None,
        past: list[tuple[Tensor, Tensor]] | None = None,
        adapter: Adapter | None = None,
        turned: bool = True,
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Last hidden states of `tokens` (batch, tokens), and of each layer keys and values of past and tokens, the
        keys not turned if so wished. `valid` tells which of past and tokens are no padding."""
        batch, length = tokens.shape
        seen = valid.shape[1] - length
        causal = torch.ones(length, length, dtype=torch.bool, device=self.device).tril()
        causal = torch.cat([torch.ones(length, seen, dtype=torch.bool, device=self.device), causal], dim=1)
        mask = causal[None] & valid[:, None]
        if before is not None:
            mask = torch.cat([before.valid[:, None].expand(-1, length, -1), mask], dim=2)
        hidden = self.weights["token_embd.weight"][tokens]
        kept = []
        for layer in range(self.layers):

            def linear(states: Tensor, name: str, layer: int = layer) -> Tensor:
                name = f"blk.{layer}.{name}"
                made = functional.linear(states, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))
                pair = adapter.pairs.get(f"{name}.weight") if adapter is not None else None
                if adapter is None or pair is None:
                    return made
                down, up = (one.to(self.kind) for one in pair)
                return made + functional.linear(functional.linear(states, down), up) * adapter.scale

            normed = self._normed(hidden, f"blk.{layer}.attn_norm.weight")
            queries, keys, values = (
                linear(normed, f"attn_{which}").view(batch, length, -1, self.width) for which in "qkv"
            )
            queries = self.rotated(queries, positions)
            if turned:
                keys = self.rotated(keys, positions)
            if past is not None:
                keys, values = (torch.cat(pair, dim=1) for pair in zip(past[layer], (keys, values), strict=True))
            kept.append((keys, values))
            if not turned:
                keys = self.rotated(keys, positions)
            if before is not None:
                keys = torch.cat([self.rotated(before.bank.keys[layer][before.places], before.positions), keys], dim=1)
                values = torch.cat([before.bank.values[layer][before.places], values], dim=1)
            attended = _attended(queries, keys, values, mask)
            hidden = hidden + linear(attended.reshape(batch, length, -1), "attn_output")
            normed = self._normed(hidden, f"blk.{layer}.ffn_norm.weight")
            gated = functional.silu(linear(normed, "ffn_gate")) * linear(normed, "ffn_up")
            hidden = hidden + linear(gated, "ffn_down")
        return self._normed(hidden, "output_norm.weight"), kept

    def _normed(self, hidden: Tensor, name: str) -> Tensor:
        scaled = hidden.float() * torch.rsqrt(hidden.float().pow(2).mean(-1, keepdim=True) + self.epsilon)
        return scaled.to(self.kind) * self.weights[name]


class Bank:
    """Keys (not turned) and values of the instructions, and of blocks read alone after them, one after the other."""

    def __init__(self, model: Model, instructions: Sequence[int], blocks: Iterable[tuple[int, ...]]) -> None:
        """Read every block once, without an adapter."""
        self.model = model
        self.instructions = len(instructions)
        self.places: dict[tuple[int, ...], range] = {}
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        self._put(self._read([tuple(instructions)], 0, None))
        unread = sorted(set(blocks), key=len)
        found: list[list[tuple[Tensor, Tensor]]] = []
        total = self.instructions
        for batch in _in_turn(unread, BATCH):
            before = Prefixes.of(self, [()] * len(batch))
            kept = self._read(batch, self.instructions, before)
            for row, block in enumerate(batch):
                found.append([(keys[row, : len(block)], values[row, : len(block)]) for keys, values in kept])
                self.places[block] = range(total, total + len(block))
                total += len(block)
        for layer in range(model.layers):
            self.keys[layer] = torch.cat([self.keys[layer], *(one[layer][0] for one in found)])
            self.values[layer] = torch.cat([self.values[layer], *(one[layer][1] for one in found)])

    def _put(self, kept: list[tuple[Tensor, Tensor]]) -> None:
        self.keys = [keys[0] for keys, _ in kept]
        self.values = [values[0] for _, values in kept]

    @torch.no_grad()
    def _read(
        self, blocks: Sequence[tuple[int, ...]], start: int, before: Prefixes | None
    ) -> list[tuple[Tensor, Tensor]]:
        tokens, valid = _padded(blocks, self.model.device)
        positions = (start + torch.arange(tokens.shape[1], device=self.model.device)).expand_as(tokens)
        return self.model.run(tokens, positions, valid, before=before, turned=False)[1]


@dataclass(frozen=True)
class Prefixes:
    """For each prompt of a batch what of a bank comes before its tail: (batch, most) each."""

    bank: Bank
    places: Tensor
    positions: Tensor
    valid: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, bank: Bank, prompts: Sequence[Sequence[tuple[int, ...]]]) -> Prefixes:
        """Instructions and blocks of each prompt."""
        rows = [
            (*range(bank.instructions), *(place for block in blocks for place in bank.places[block]))
            for blocks in prompts
        ]
        places, valid = _padded(rows, bank.model.device)
        positions = torch.arange(places.shape[1], device=bank.model.device).expand_as(places)
        return cls(bank, places, positions, valid, valid.sum(1))


def _attended(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention in plain words, each (batch, tokens, heads, width): some fused kernels lose the gradient of a mask."""
    batch, length, _, width = queries.shape
    grouped = queries.view(batch, length, keys.shape[2], -1, width)
    scores = torch.einsum("btkgd,bskd->bkgts", grouped, keys).float() / math.sqrt(width)
    weights = scores.masked_fill(~mask[:, None, None], -1e9).softmax(-1).to(values.dtype)
    return torch.einsum("bkgts,bskd->btkgd", weights, values)


def _padded(rows: Sequence[Sequence[int]], device: str) -> tuple[Tensor, Tensor]:
    most = max(map(len, rows))
    tokens = torch.tensor([[*row, *[0] * (most - len(row))] for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return tokens, torch.arange(most, device=device)[None] < lengths[:, None]


def _in_turn(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


class Trainer:
    """A model, what it has read, and examples for it."""

    def __init__(self, model: Model, path: Path, *, most: int | None = None) -> None:
        """Read the examples, at most so many of them, and their passages."""
        self.model = model
        with path.open(encoding="utf-8") as file:
            self.shared = json.loads(next(file))
            self.lines: list[dict[str, Any]] = [json.loads(line) for line in file]
        if most is not None:
            self.lines = random.Random(1).sample(self.lines, most)
        for one in self.lines:
            one["blocks"] = [tuple(block) for block in one["blocks"]]
        self.bank = Bank(model, self.shared["instructions"], (block for one in self.lines for block in one["blocks"]))
        yes_no = [model.encode(word)[0] for word in ("Yes", "No")]
        self.yes, self.no = yes_no

    def tail(self, told: Mapping[str, Any], task: str = "") -> tuple[int, ...]:
        """What comes after the blocks of a example."""
        asked = (*self.shared["before_task"], *self.model.encode(task)) if task else ()
        return (*told["question"], *asked, *self.shared["closing"])

    def sentences(self) -> dict[tuple[str, str], str]:
        """(question, expected words) → a sentence that has them, in the words of the model."""
        asked = [one for one in self.lines if one["task"] == "correct" and one["answers"]]
        keys = [(one["text"], one["answers"][0]) for one in asked]
        prompts = [
            Example(tuple(one["blocks"]), self.tail(one, HINT.format(answer=one["answers"][0]))) for one in asked
        ]
        texts = self.answers(prompts, None, "worded", SENTENCE)
        found, failed = {}, 0
        for key, text in zip(keys, texts, strict=True):
            holds = matching.contains(text, [key[1]]) and self.shared["cannot_answer"] not in text
            failed += not holds
            found[key] = text if holds else key[1][:1].upper() + key[1][1:] + "."
        print(f"sentences: {len(found)}, {failed} of them the expected words alone", flush=True)
        return found

    def examples(self, sentences: Mapping[tuple[str, str], str], openly: Sequence[str]) -> list[Example]:
        """All that have a target."""
        draw = random.Random(3)
        by_subject: dict[str, list[str]] = {}
        for one in self.lines:
            if one["task"] == "correct" and one["kind"] == "answerable":
                by_subject.setdefault(one["subject"], []).append(sentences[one["text"], one["answers"][0]])
        found = []
        of_open = iter(openly)
        for one in self.lines:
            blocks, end = tuple(one["blocks"]), (self.model.end,)
            if one["task"] == "open":
                text = next(of_open)
                if self.shared["cannot_answer"] not in text:
                    found.append(Example(blocks, self.tail(one), (*self.model.encode(text), *end), one))
            elif one["task"] == "draft":
                text = self.shared["cannot_answer"]
                if one["says"]:
                    text = sentences.get((one["text"], one["answers"][0]), "")
                if text:
                    found.append(Example(blocks, self.tail(one), (*self.model.encode(text), *end), one))
            elif one["task"] == "answerable":
                task = self.shared["tasks"]["answerable"]
                found.append(Example(blocks, self.tail(one, task), (self.yes if one["says"] else self.no,), one))
            elif one["answers"]:
                task = self.shared["tasks"]["correct"]
                draft = sentences[one["text"], one["answers"][0]]
                target = (self.yes if one["says"] else self.no,)
                found.append(Example(blocks, self.tail(one, task.format(draft=draft)), target, one))
                if one["says"] and draw.random() < SWAPPED:
                    other = draw.choice(by_subject[one["subject"]])
                    if not matching.contains(other, one["answers"]):
                        wrong = {**one, "says": False, "kind": "swapped"}
                        found.append(Example(blocks, self.tail(one, task.format(draft=other)), (self.no,), wrong))
        return found

    @torch.no_grad()
    def answers(self, prompts: Sequence[Example], adapter: Adapter | None, what: str, most: int = LONGEST) -> list[str]:
        """What the model says, greedily, at most `most` tokens."""
        order = sorted(range(len(prompts)), key=lambda place: sum(map(len, prompts[place].blocks)))
        texts: dict[int, str] = {}
        start = time.perf_counter()
        for places in _in_turn(order, 4 * BATCH):
            for place, tokens in zip(places, self._write([prompts[one] for one in places], adapter, most), strict=True):
                texts[place] = self.model.decode(tokens).strip()
        print(f"{what}: {len(prompts)} in {time.perf_counter() - start:.0f} s", flush=True)
        return [texts[place] for place in range(len(prompts))]

    def _write(self, prompts: Sequence[Example], adapter: Adapter | None, most: int) -> list[list[int]]:
        model, device = self.model, self.model.device
        before = Prefixes.of(self.bank, [one.blocks for one in prompts])
        tokens, valid = _padded([one.tail for one in prompts], device)
        positions = before.lengths[:, None] + torch.arange(tokens.shape[1], device=device)
        hidden, past = model.run(tokens, positions, valid, before=before, adapter=adapter)
        lengths = valid.sum(1)
        last = hidden[torch.arange(len(prompts), device=device), lengths - 1]
        at = before.lengths + lengths
        written: list[Tensor] = []
        done = torch.zeros(len(prompts), dtype=torch.bool, device=device)
        for _ in range(most):
            chosen = functional.linear(last, model.output).argmax(-1)
            done |= chosen == model.end
            written.append(torch.where(done, torch.full_like(chosen, -1), chosen))
            if bool(done.all()):
                break
            valid = torch.cat([valid, torch.ones(len(prompts), 1, dtype=torch.bool, device=device)], dim=1)
            hidden, past = model.run(chosen[:, None], at[:, None], valid, before=before, past=past, adapter=adapter)
            last, at = hidden[:, 0], at + 1
        rows = torch.stack(written, dim=1).tolist()
        return [[token for token in row if token >= 0] for row in rows]

    def logits(self, examples: Sequence[Example], adapter: Adapter | None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits before each token of the targets, those tokens, and the example of each, as rows."""
        device = self.model.device
        before = Prefixes.of(self.bank, [one.blocks for one in examples])
        tokens, valid = _padded([(*one.tail, *one.target[:-1]) for one in examples], device)
        positions = before.lengths[:, None] + torch.arange(tokens.shape[1], device=device)
        hidden, _ = self.model.run(tokens, positions, valid, before=before, adapter=adapter)
        rows = [row for row, one in enumerate(examples) for _ in one.target]
        columns = [len(one.tail) - 1 + place for one in examples for place in range(len(one.target))]
        wanted = torch.tensor([token for one in examples for token in one.target], device=device)
        of = torch.tensor(rows, device=device)
        return functional.linear(hidden[of, torch.tensor(columns, device=device)], self.model.output), wanted, of

    def train(
        self, examples: Sequence[Example], adapter: Adapter, *, epochs: float, rate: float, save: Callable[[], None]
    ) -> None:
        """Every example so many times; each counts as much, however long its target. Saved now and then."""
        draw = random.Random(5)
        optimizer = torch.optim.AdamW(adapter.parameters(), lr=rate, weight_decay=0.0)
        each = math.ceil(len(examples) / BATCH)
        steps = math.ceil(each * epochs)
        order: list[Example] = []
        start, recent = time.perf_counter(), []
        for step in range(steps):
            share = min((step + 1) / (WARM_UP * steps), 0.5 * (1 + math.cos(math.pi * step / steps)))
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            if not order:
                order = _batched(examples, draw)
            batch, order = order[:BATCH], order[BATCH:]
            logits, wanted, of = self.logits(batch, adapter)
            loss = functional.cross_entropy(logits.float(), wanted, reduction="none")
            counts = torch.bincount(of, minlength=len(batch))
            mean = (loss / counts[of]).sum() / len(batch)
            optimizer.zero_grad()
            torch.autograd.backward(mean)
            torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
            optimizer.step()
            recent.append(float(mean.detach()))
            if not math.isfinite(recent[-1]):
                raise SystemExit(f"the loss is {recent[-1]} at step {step + 1}; try a smaller rate")
            if step % 50 == 49 or step + 1 == steps:
                spent = time.perf_counter() - start
                print(f"step {step + 1}/{steps} loss {sum(recent) / len(recent):.3f} {spent:.0f} s", flush=True)
                recent = []
            if step % 100 == 99:
                save()

    @torch.no_grad()
    def evaluate(self, examples: Sequence[Example], adapter: Adapter | None, shown: int = 6) -> dict[str, float]:
        """How well drafts and judgements are on examples that were not learned."""
        drafts = [one for one in examples if one.rule["task"] == "draft"]
        texts = self.answers(drafts, adapter, "examined", SENTENCE)
        refused = [self.shared["cannot_answer"].rstrip(".") in text or not text for text in texts]
        marks: dict[str, float] = {}
        for kind, says in (("answerable", True), ("impossible", False), ("absent", False)):
            chosen = [place for place, one in enumerate(drafts) if _kind(one) == kind]
            if not chosen:
                continue
            if says:
                holds = [matching.contains(texts[place], drafts[place].rule["answers"]) for place in chosen]
                marks["gold"] = sum(holds) / len(chosen)
                marks["words"] = sum(len(texts[place].split()) for place in chosen) / len(chosen)
            marks[f"refused {kind}"] = sum(refused[place] for place in chosen) / len(chosen)
        for task in ("answerable", "correct"):
            asked = [one for one in examples if one.rule["task"] == task]
            odds: list[float] = []
            for batch in _in_turn(asked, BATCH):
                logits = self.logits(batch, adapter)[0].float()
                odds += (logits[:, self.yes] - logits[:, self.no]).tolist()
            for kind in ("impossible", "absent", "swapped"):
                good = [odd for odd, one in zip(odds, asked, strict=True) if one.rule["says"]]
                bad = [odd for odd, one in zip(odds, asked, strict=True) if _kind(one) == kind]
                if good and bad:
                    marks[f"AUROC {task}, {kind}"] = _auroc(good, bad)
        for place in random.Random(2).sample(range(len(drafts)), min(shown, len(drafts))):
            rule = drafts[place].rule
            print(f"  {rule['kind']}: {rule['text']} | {rule['answers'][:1]} | {texts[place]}", flush=True)
        return marks


def _batched(examples: Sequence[Example], draw: random.Random) -> list[Example]:
    """In batches of about equal length, these in random order."""
    order = sorted(examples, key=lambda one: len(one.tail) + len(one.target) + draw.random() * 8)
    batches = list(_in_turn(order, BATCH))
    draw.shuffle(batches)
    return [one for batch in batches for one in batch]


def _kind(example: Example) -> str:
    kind, says = example.rule["kind"], example.rule["says"]
    return "absent" if kind == "answerable" and not says else str(kind)


def _auroc(good: Sequence[float], bad: Sequence[float]) -> float:
    return sum((one > other) + (one == other) / 2 for one in good for other in bad) / (len(good) * len(bad))


def main() -> None:
    """Read, word, train, evaluate, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adapter.train", description="Train an adapter.")
    parser.add_argument("examples", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path, help="the adapter to write; with several ways, a folder")
    parser.add_argument("--way", action="append", help="MODULES:RANK:ALPHA:EPOCHS:RATE, again for another")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--most", type=int, default=None, help="at most so many examples, to try")
    arguments = parser.parse_args()
    ways = arguments.way or [WAY]
    start = time.perf_counter()
    model = Model(arguments.model, arguments.device)
    print(f"model read, {time.perf_counter() - start:.0f} s", flush=True)
    trainer = Trainer(model, arguments.examples, most=arguments.most)
    print(f"{len(trainer.lines)} examples, passages read, {time.perf_counter() - start:.0f} s", flush=True)
    worded = arguments.examples.with_suffix(".worded.json")
    if worded.exists():
        known = json.loads(worded.read_text(encoding="utf-8"))
        sentences, openly = {tuple(key): text for key, text in known["sentences"]}, known["openly"]
    else:
        sentences = trainer.sentences()
        asked = [Example(tuple(one["blocks"]), trainer.tail(one)) for one in trainer.lines if one["task"] == "open"]
        openly = trainer.answers(asked, None, "asked openly")
        kept_words = {"sentences": list(sentences.items()), "openly": openly}
        worded.write_text(json.dumps(kept_words, ensure_ascii=False), encoding="utf-8")
    examples = trainer.examples(sentences, openly)
    learned = [one for one in examples if not one.rule["held_out"]]
    kept = [one for one in examples if one.rule["held_out"]]
    print(Counter((one.rule["task"], one.rule["kind"], one.rule["says"]) for one in learned), flush=True)
    for way in ways:
        modules, rank, alpha, epochs, rate = way.split(":")
        adapter = Adapter(model, MODULES[modules], int(rank), float(alpha))
        path = arguments.out if len(ways) == 1 else arguments.out / f"{way.replace(':', '_')}.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"general.name": f"citewire {trainer.shared['model']}", "citewire.tuned": way}
        save = partial(adapter.write, path, model.architecture, about)
        trainer.train(learned, adapter, epochs=float(epochs), rate=float(rate), save=save)
        save()
        print(way, _plain(trainer.evaluate(kept, adapter)), flush=True)
    print("without", _plain(trainer.evaluate(kept, None)), flush=True)
    samples = [(one.rule["text"], model.decode(one.target[:-1])) for one in examples if one.rule["task"] == "open"][:3]
    print(samples, flush=True)


def _plain(marks: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in marks.items())


if __name__ == "__main__":
    main()
