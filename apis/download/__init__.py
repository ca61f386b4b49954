"""From a link that Kling signed to a whole file on the disk."""

from .job import DownloadPolicy, download
from .kinds import KINDS
from .names import output_name

__all__ = ["KINDS", "DownloadPolicy", "download", "output_name"]
