"""The stand-ins for the two models, which Citewire ships so that programs built on it can be tested without models."""

from __future__ import annotations

from index.bag_of_words import BagOfWordsEmbedder
from rag.llm.scripted import ScriptedLLM

__all__ = ["BagOfWordsEmbedder", "ScriptedLLM"]
