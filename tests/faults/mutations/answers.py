"""Guards of what a server says: the key in it, Comfy.org's own words, and ends that nobody knows."""

from __future__ import annotations

from .form import COMFY, MONEY, OUTCOMES, SOURCE_CLIENT, SOURCE_OUTCOMES, Edit, Mutation, one

ANSWERS = "tests/unit/test_answers.py"
ENDED = "tests/unit/test_ended.py"
FILTER = "tests/unit/test_redaction.py"
SECRETS = "tests/unit/test_secrets.py"
TOKEN = "tests/unit/test_comfy_token.py"

SOURCE_FILTER = "apis/redaction.py"
SOURCE_ANSWER = "apis/answer.py"
SOURCE_TOKEN = "apis/comfy_token.py"
SOURCE_SENDING = "apis/sending.py"

MUTATIONS: tuple[Mutation, ...] = (
    # -- a server that repeats the key ---------------------------------------------------------------------
    one(
        "what a server says is not filtered",
        SOURCE_CLIENT,
        "payload = parse_json(raw, connection.redactor)",
        "payload = parse_json(raw, Redactor())",
        SECRETS,
    ),
    one(
        "the body beside an error is not filtered",
        SOURCE_CLIENT,
        "error.body = body_shown(raw, connection.redactor)",
        "error.body = body_shown(raw, Redactor())",
        SECRETS,
    ),
    one(
        "an error is raised where the key is at hand",
        SOURCE_CLIENT,
        "            return error_of_exception(error, connection.host)\n        if len(raw)",
        "            raise error_of_exception(error, connection.host)\n        if len(raw)",
        "tests/unit/test_client.py",
    ),
    one(
        "an error is raised where the raw answer is at hand",
        SOURCE_CLIENT,
        "        error.body = body_shown(raw, connection.redactor)\n        return error",
        "        error.body = body_shown(raw, connection.redactor)\n        raise error",
        SECRETS,
    ),
    one(
        "a token that has been replaced is no secret any more",
        SOURCE_CLIENT,
        "connection.redactor.learn(connection.credential.secrets())",
        "object.__setattr__(connection, 'redactor', Redactor(connection.credential.secrets()))",
        SECRETS,
    ),
    one(
        "the token that signs is not known to the filter",
        "apis/credentials.py",
        "return (*self._content(), *((self._token[1],) if self._token else ()))",
        "return self._content()",
        SECRETS,
    ),
    one(
        "a renewed token is not known to the filter",
        "apis/credentials.py",
        "{part for part in (*self._content(), self.token) if part}",
        "{part for part in self._content() if part}",
        TOKEN,
    ),
    one(
        "a part of a key is shown",
        SOURCE_FILTER,
        "self._parts |= _pieces(secret, SHORTEST)",
        "self._parts |= _pieces(secret, len(secret))",
        FILTER,
        SECRETS,
    ),
    one(
        "the filter looks at too few places",
        SOURCE_FILTER,
        "_STRIDE = SHORTEST - _SEED + 1",
        "_STRIDE = SHORTEST - _SEED + 2",
        FILTER,
    ),
    one(
        "of two keys that run into one another only one is hidden",
        SOURCE_FILTER,
        "            for start in range(max(place - _STRIDE + 1, 0), place + 1):",
        "            for start in range(max(place - _STRIDE + 1, end), place + 1):",
        FILTER,
    ),
    one(
        "an escaped key is shown",
        SOURCE_FILTER,
        'if "\\\\" in text or "%" in text or "&#" in text:',
        "if False:",
        FILTER,
        SECRETS,
    ),
    one(
        "a key in the place of a name is kept",
        SOURCE_FILTER,
        "self._filtered(name, self._without_parts): self.value(entry)",
        "name: self.value(entry)",
        FILTER,
    ),
    one(
        "a key that is a number is kept",
        SOURCE_FILTER,
        "return value if hidden == digits else hidden",
        "return value",
        FILTER,
    ),
    one(
        "a key in another encoding is kept beside an error",
        SOURCE_ANSWER,
        '.replace(b"\\0", b"")',
        "",
        FILTER,
    ),
    one(
        "the simulator's key hides words of ordinary texts",
        "apis/settings.py",
        "credential = _PublicKey(SIMULATOR_KEY)",
        "credential = ApiKey(SIMULATOR_KEY)",
        SECRETS,
    ),
    one(
        "a field is lost because its name is a short key",
        SOURCE_FILTER,
        "self._filtered(name, self._without_parts)",
        "self._filtered(name, self._hidden)",
        FILTER,
    ),
    one(
        "a task whose id holds the key is written down and asked for",
        "apis/tasks_api.py",
        "if task is not None and MARK in task.task_id:",
        "if False:",
        SECRETS,
    ),
    one(
        "a link with the key in it is followed",
        "apis/download/link.py",
        "if MARK in url:",
        "if False:",
        SECRETS,
    ),
    # -- large answers -------------------------------------------------------------------------------------
    one(
        "a large answer is taken apart on the loop",
        SOURCE_CLIENT,
        "if len(raw) > LARGE_ANSWER:",
        "if False:",
        ANSWERS,
    ),
    one(
        "an answer without end is taken apart",
        SOURCE_ANSWER,
        'if raw.count(b",") > MOST_COMMAS:',
        "if False:",
        ANSWERS,
        FILTER,
    ),
    one(
        "an answer is read once for each question about it",
        "apis/tasks_api.py",
        "if not read or read[0][0] is not reply:",
        "if True:",
        ANSWERS,
    ),
    # -- Comfy.org -----------------------------------------------------------------------------------------
    one(
        "every conflict at Comfy.org says that the take was bought",
        SOURCE_OUTCOMES,
        'if status == 409 and "idempoten" in said.lower():',
        "if status == 409:",
        COMFY,
        OUTCOMES,
    ),
    one(
        "a conflict at Comfy.org is an account problem",
        SOURCE_OUTCOMES,
        'if status == 409 and "idempoten" in said.lower():',
        "if False:",
        COMFY,
        OUTCOMES,
    ),
    one(
        "what Kling has against Comfy.org is laid at the user's door",
        SOURCE_OUTCOMES,
        "return COMFY_ORG_CODES.get(code)",
        "return None",
        COMFY,
        OUTCOMES,
    ),
    one(
        "Comfy.org's own status is taken for a code of Kling's",
        SOURCE_OUTCOMES,
        "code = code if code == 0 or (code or 0) >= LOWEST_CODE else None",
        "pass",
        OUTCOMES,
    ),
    one(
        "Comfy.org's words are said to be Kling's",
        SOURCE_OUTCOMES,
        'speaker = speaker if code else "Comfy.org"',
        "pass",
        COMFY,
        OUTCOMES,
    ),
    one(
        "a node at Comfy.org says that the user's Kling account is full",
        "apis/payer.py",
        'return "Comfy.org" if account.startswith("comfy.org#") else account_in_words(account)',
        'return "your Kling account"',
        COMFY,
        MONEY,
    ),
    one(
        "a conflict is written down before it is shown",
        SOURCE_SENDING,
        "    status.warn(text)\n    await context.journal.call(context.journal.in_doubt, row.row_id, why)",
        "    await context.journal.call(context.journal.in_doubt, row.row_id, why)\n    status.warn(text)",
        COMFY,
    ),
    one(
        "a conflict counts as spent",
        SOURCE_SENDING,
        "                await journal.call(journal.not_shown, row.row_id)\n            raise",
        "                pass\n            raise",
        COMFY,
    ),
    one(
        "a conflict counts as refused, so the take may be bought anew",
        SOURCE_SENDING,
        "        except errors.AlreadyExists:\n            raise  #",
        "        except errors.AlreadyExists as error:\n            await self._nothing_made(error.message)\n"
        "            raise  #",
        COMFY,
    ),
    one(
        "a resend that is refused stops the next run as if it had been cut off",
        SOURCE_SENDING,
        "                if self._id is None:\n                    await _tell(",
        "                if False:\n                    await _tell(",
        COMFY,
    ),
    # -- the sign-in at Comfy.org --------------------------------------------------------------------------
    one(
        "a sign-in ends while a node waits",
        SOURCE_TOKEN,
        'if claims is not None and claims["exp"] - self._clock.time() < RENEW_BEFORE:',
        "if False:",
        TOKEN,
    ),
    one(
        "a sign-in is renewed before each request",
        SOURCE_TOKEN,
        'if claims is not None and claims["exp"] - self._clock.time() < RENEW_BEFORE:',
        "if claims is not None:",
        TOKEN,
    ),
    one(
        "a create that was refused for its token is given up",
        SOURCE_CLIENT,
        "if isinstance(outcome, errors.AuthenticationFailed) and await renewal.after_refusal(used):",
        "if False:",
        TOKEN,
    ),
    one(
        "each of many nodes renews the same token",
        SOURCE_TOKEN,
        "if self._credential.token != token:",
        "if False:",
        TOKEN,
    ),
    one(
        "each of many nodes asks again for a renewal that was refused",
        SOURCE_TOKEN,
        "if _failed.get(token, -math.inf) >= since:",
        "if False:",
        TOKEN,
    ),
    one(
        "a token of another session is taken",
        SOURCE_TOKEN,
        'renewed["sid"] != claims["sid"]',
        "False",
        TOKEN,
    ),
    one(
        "a renewal that comes in pieces is lost",
        SOURCE_TOKEN,
        "while len(raw) < ANSWER_LIMIT and (more := await answer.content.readany()):",
        "if more := await answer.content.readany():",
        TOKEN,
    ),
    one(
        "a token that would write a header of its own is taken",
        SOURCE_TOKEN,
        "found = _TOKEN.fullmatch(token)",
        "found = _TOKEN.match(token)",
        TOKEN,
    ),
    one(
        "any sign-in is renewed",
        SOURCE_TOKEN,
        "return claims if audience in (AUDIENCE, [AUDIENCE]) and isinstance(session, str) else None",
        "return claims",
        TOKEN,
    ),
    one(
        "a sign-in without a subject is another account in each prompt",
        "apis/credentials.py",
        'claims.get("sub") or claims["sid"]',
        'claims["sub"]',
        TOKEN,
    ),
    # -- ends that nobody knows ----------------------------------------------------------------------------
    one(
        "an unknown end is believed at once",
        SOURCE_CLIENT,
        "if ended_at is not None and now - ended_at >= END_PATIENCE:",
        "if ended_at is not None:",
        ENDED,
    ),
    one(
        "an unknown end is polled for an hour",
        SOURCE_CLIENT,
        "if ended_at is not None and now - ended_at >= END_PATIENCE:",
        "if False:",
        ENDED,
    ),
    one(
        "an end that was taken back still counts",
        SOURCE_CLIENT,
        "ended_at = None if status not in self.ended else now if ended_at is None else ended_at",
        "ended_at = ended_at if ended_at is not None else now if status in self.ended else None",
        ENDED,
    ),
    one(
        "of a task that has ended the deadline says that it goes on",
        SOURCE_CLIENT,
        "                if ended_at is not None:\n                    raise",
        "                if False:\n                    raise",
        ENDED,
    ),
    one(
        "an unknown end is shown in other letters",
        SOURCE_CLIENT,
        "word, status = status.strip(), status.strip().lower()",
        "word = status = status.strip().lower()",
        ENDED,
    ),
    Mutation(
        "an unknown end counts as failed, and the take is bought again",
        (
            Edit(
                "apis/kling/responses.py",
                "**dict.fromkeys(ENDED, Phase.ENDED),",
                "**dict.fromkeys(ENDED, Phase.FAILED),",
            ),
            Edit(
                "apis/kling/responses.py",
                'FAILED = ("failed",)',
                'FAILED = ("failed", "canceled")',
            ),
        ),
        (ENDED,),
    ),
)
