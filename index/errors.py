"""Everything Citewire raises on purpose.

    Error
    ├── InputError         what the caller gave cannot be used (an empty question, a folder that is not there)
    ├── ReadError          one file or page that cannot be read as an article; a sync skips it and continues
    ├── ModelError         a model that is missing, damaged or cannot be loaded
    │   └── ManifestError  models.txt itself cannot be understood
    └── StoreError         the database in the home cannot be used as it is
        └── LayoutError    … because another version, or another embedder, wrote it

Every message says what, where, and the command that mends it. This file knows nothing else of Citewire.
"""


class Error(Exception):
    """Base of all errors a caller may want to catch and show."""


class InputError(Error):
    """An argument that cannot be used; nothing was changed."""


class ReadError(Error):
    """A file, page or feed from which no article can be read; whatever was indexed before stays."""


class ForkError(Error):
    """Something of the process from which this one was forked, which cannot be used here."""


class ModelError(Error):
    """A model that is missing, damaged, or cannot be loaded."""


class ManifestError(ModelError):
    """A models.txt that does not follow its grammar; the message gives file and line."""


class StoreError(Error):
    """A database that cannot be opened, read or written."""


class LayoutError(StoreError):
    """A database written by another layout version or another embedder; it is refused, never searched wrongly."""
