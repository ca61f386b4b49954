"""Every way a take can go wrong, named by what the user should do about it.

    KlingTakesError
     ├─ ConfigurationError      a variable or a file is missing or wrong
     │   └─ CredentialsError
     ├─ InvalidInput            refused here, before anything was sent
     ├─ SpendingLimitReached    the user's own limit says no
     ├─ BoughtElsewhere         another account of this installation has paid the take, or may have
     ├─ JournalError            the record of paid tasks can't be trusted, so nothing is bought
     ├─ ApiError                one exchange with the API went wrong
     │   ├─ NeverDelivered      the API never saw it
     │   ├─ Refused             the API said no and made nothing
     │   │   ├─ AuthenticationFailed, AccountRefused, RequestRefused, ContentRefused, NotFound
     │   │   └─ AlreadyExists   the external task id is taken: the take was bought before
     │   ├─ Throttled           too many at once: wait, then the same request again
     │   └─ OutcomeUnknown      it may have happened, or not
     ├─ TaskFailed              Kling could not make it; such a task is hardly ever billed
     ├─ TaskEnded               Kling says that it has ended, in a word that we don't know
     ├─ StillRunning            our waiting ended, the task goes on
     ├─ TaskGone                Kling no longer has the task or its video
     └─ DownloadFailed          the video is paid for and still at Kling

``str(error)`` is a whole sentence for someone who has never seen this code. The raw body of an answer is
the attribute ``body`` and never part of the text.
"""

from __future__ import annotations

from collections.abc import Iterable

from .kling.problem import Problem


class KlingTakesError(Exception):
    """Base of all errors of this package; ``str()`` gives the sentence to show."""

    def __init__(
        self,
        message: str,
        *,
        task_id: str | None = None,
        external_task_id: str | None = None,
        code: int | None = None,
        request_id: str | None = None,
        http_status: int | None = None,
        body: str | None = None,
    ) -> None:
        """Keep the sentence and the facts that a caller or a support ticket needs."""
        super().__init__(message)
        self.message = message
        self.task_id = task_id
        self.external_task_id = external_task_id
        self.code = code
        self.request_id = request_id
        self.http_status = http_status
        self.body = body

    def __str__(self) -> str:
        """The sentence, then the ids that find the task again."""
        facts = [
            f"task {self.task_id}" if self.task_id else "",
            f"external task id {self.external_task_id}" if self.external_task_id else "",
            f"Kling code {self.code}" if self.code else "",
            f"request id {self.request_id}" if self.request_id else "",
        ]
        told = [fact for fact in facts if fact and fact.split(" ")[-1] not in self.message]
        return f"{self.message} ({', '.join(told)})" if told else self.message


class ConfigurationError(KlingTakesError):
    """A variable or a file is missing or wrong; the text names it and the remedy."""


class CredentialsError(ConfigurationError):
    """There is no usable key; the text says where to put one."""


class InvalidInput(KlingTakesError):
    """An input can't work; nothing was sent."""

    def __init__(self, message: str, *, widget: str | None = None) -> None:
        """``widget`` is the name of the input to change."""
        super().__init__(message)
        self.widget = widget


def refuse(problems: Iterable[Problem]) -> None:
    """Raise InvalidInput with all problems in it; do nothing when there are none."""
    found = list(problems)
    if found:
        raise InvalidInput(" ".join(problem.text for problem in found), widget=found[0].widget)


class SpendingLimitReached(KlingTakesError):
    """The user's own daily limit would be passed; nothing was sent."""


class BoughtElsewhere(KlingTakesError):
    """Another account of this installation has paid the take, or may have; nothing was sent."""


class JournalError(KlingTakesError):
    """The record of paid tasks can't be read or written; nothing new is bought until it can."""


class ApiError(KlingTakesError):
    """One exchange with the API went wrong."""


class NeverDelivered(ApiError):
    """The request never reached the API, so nothing was made."""


class Refused(ApiError):
    """The API said no, so nothing was made."""


class AuthenticationFailed(Refused):
    """The key is missing, wrong, expired or not allowed (codes 1000 to 1004, HTTP 401)."""


class AccountRefused(Refused):
    """The account can't buy this now (codes 1100 to 1103 and 1304, HTTP 402 and 403)."""


class RequestRefused(Refused):
    """A parameter, a model or a path is wrong (codes 1200 to 1203)."""


class ContentRefused(Refused):
    """The prompt or a picture is against the platform's policy (codes 1300 and 1301)."""


class NotFound(Refused):
    """The API has no task under this id."""


class AlreadyExists(Refused):
    """The external task id is taken: this very take was bought before."""


class Throttled(ApiError):
    """Too many at once (codes 1302 and 1303, HTTP 429); nothing was made."""

    #: seconds the server asked to wait, where it did
    retry_after: float | None = None


class OutcomeUnknown(ApiError):
    """The request may have been carried out or not: no answer, or none that can be read."""


class TaskFailed(KlingTakesError):
    """Kling accepted the task and could not make it; the sentence says whether it was billed."""


class TaskEnded(KlingTakesError):
    """Kling says that the task has ended, in a word that we don't know; whether it was billed is open."""


class StillRunning(KlingTakesError):
    """Our waiting ended; the task goes on at Kling and can be collected later."""


class TaskGone(KlingTakesError):
    """Kling no longer has the task or its video."""


class DownloadFailed(KlingTakesError):
    """The video is made and paid for, still at Kling, and could not be fetched."""
