"""Settings from the environment."""

from __future__ import annotations

import pytest

from index import InputError
from rag import Settings


def test_defaults_hold_without_an_environment() -> None:
    assert Settings.from_env({}) == Settings()


def test_each_variable_sets_its_field() -> None:
    environ = {"CITEWIRE_LLM": "smollm2-135m", "CITEWIRE_PASSAGES": "2", "CITEWIRE_CONTEXT_TOKENS": "8192"}
    settings = Settings.from_env({**environ, "CITEWIRE_GPU_LAYERS": "-1"})
    assert settings.gpu_layers == -1
    assert (settings.llm, settings.passages, settings.context_tokens) == ("smollm2-135m", 2, 8192)


@pytest.mark.parametrize("value", ["many", "-1", "0", "1.5", "²", "9" * 5000])
def test_a_number_that_is_none_is_named(value: str) -> None:
    with pytest.raises(InputError, match=r"CITEWIRE_PASSAGES=.*at least 1"):
        Settings.from_env({"CITEWIRE_PASSAGES": value})
