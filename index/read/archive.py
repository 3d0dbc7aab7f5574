"""Archive: the zip file that a document is; opened only within bounds on what it unpacks to."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

from index.errors import ReadError

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_MEMBERS = 10_000
"""Limits against a zip that is made to fill the memory, far above what a book has."""
MAX_MEMBER_BYTES = 64 * 1024 * 1024
"""Largest unpacked member: twice the largest file that is read."""


class Archive:
    """Members of a zip file by name. Nothing is written to disk."""

    def __init__(self, content: bytes) -> None:
        """Raises ReadError for what is no zip file, is damaged, encrypted, or declares more than the bounds."""
        if not content.startswith(b"PK"):
            raise ReadError("this is no zip archive, whatever its name says; give it the ending it should have")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
            members = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise ReadError(f"the file is damaged or cut short ({error}); get it again") from error
        if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
            raise ReadError(
                f"it unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB or {MAX_MEMBERS} members; save it as text"
            )
        if any(member.flag_bits & 1 for member in members):
            raise ReadError("it is encrypted; save it without a password")
        self.names = frozenset(member.filename for member in members)

    def read(self, name: str) -> bytes:
        """One member. Raises ReadError if it is missing, damaged, or larger than it says or may be."""
        try:
            with self._zip.open(name) as stream:
                content = stream.read(MAX_MEMBER_BYTES + 1)
        except KeyError:
            raise ReadError(f"the file is damaged ({name[:80]!r} is missing in it); get it again") from None
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise ReadError(f"the file is damaged or cut short ({error}); get it again") from error
        if len(content) > MAX_MEMBER_BYTES:
            raise ReadError(f"{name[:80]!r} in it unpacks to more than {MAX_MEMBER_BYTES >> 20} MiB; save it as text")
        return content

    def xml(self, name: str) -> Any:
        """The root element of a member. Raises ReadError as `read`, lxml.etree.XMLSyntaxError for what is no XML."""
        from lxml import etree

        # No entities, no network, no huge trees: what a document needs is plain elements.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        return etree.fromstring(self.read(name), parser)
