"""How large a request with files may be: judged by its stated length, before any of it is kept."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

from survey_site.access.roles import is_researcher


class LimitedUploadHandler(FileUploadHandler):
    """Stands before Django's own, which keep small files in memory and write larger ones to a disk.

    Only the staff hand in files: what strangers send is never written anywhere, even where the form is
    refused later, since the token against forgery is read from the form itself.
    """

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        is_staff = is_researcher(getattr(self.request, "user", None))
        most = settings.UPLOAD_MAX_BYTES if is_staff else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if content_length > most:
            raise RequestDataTooBig(f"{content_length:,} bytes in one request; at most {most:,} are taken")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
