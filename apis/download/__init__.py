"""From a link that Kling signed to a whole file on the disk."""

from .job import DownloadPolicy, download
from .kinds import OutputKind
from .names import output_name

__all__ = ["DownloadPolicy", "OutputKind", "download", "output_name"]
