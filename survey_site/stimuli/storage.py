"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


class WholeFileStorage(FileSystemStorage):
    """Writes to a temporary name and links the finished file: a crash leaves no half of an image behind.

    Content-addressed names rely on it: what exists under a hash is what was hashed.
    """

    def _save(self, name: str, content: File) -> str:
        folder = Path(self.path(name)).parent
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".draft-") as draft:
            for part in content.chunks():
                draft.write(part)
            draft.flush()
            os.fsync(draft.fileno())
            if self.file_permissions_mode is not None:
                os.chmod(draft.name, self.file_permissions_mode)
            return self._link(draft.name, name)

    def _link(self, draft: str, name: str) -> str:
        """The finished file's name: another one is taken where somebody else's file came first."""
        while True:
            try:
                os.link(draft, self.path(name))
            except FileExistsError:
                name = self.get_available_name(name)
            else:
                return name.replace("\\", "/")
