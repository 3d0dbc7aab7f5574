"""Models: listed in models.txt, obtained from their sources, verified before they are used.

    manifest   models.txt → what it lists
    choice     which model a name means, and where it lies
    verified   which of its files are on disk, and right
    recommend  which of them fit this machine
    pull       obtain what is missing
    source     one place it can come from

What a model is for is its `role`, a word of models.txt; whoever loads it asks for that role. How a model is loaded is
not known here.
"""

from __future__ import annotations

from index.models.choice import Identity, choose, identify, locate, require_known
from index.models.manifest import Model, ModelFile, manifest
from index.models.pull import Progress, pull
from index.models.recommend import Fit, Machine, fits, recommended
from index.models.verified import Status, models_dir, verify

__all__ = [
    "Fit", "Identity", "Machine", "Model", "ModelFile", "Progress", "Status", "choose", "fits", "identify", "locate",
    "manifest", "models_dir", "pull", "recommended", "require_known", "verify",
]  # fmt: skip
