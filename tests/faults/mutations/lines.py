"""Guards of long lists: one line, little memory, no end to the waiting in it, and what is shown of it."""

from __future__ import annotations

from .form import (
    INTERRUPT,
    NODES,
    SOURCE_SENDING,
    SOURCE_SLOTS,
    SOURCE_STUDIO,
    Mutation,
    one,
)

SLOTS = "tests/unit/test_slots.py"
LISTS = "tests/unit/test_lists.py"
REPORTER = "tests/unit/test_reporter.py"
AT_ONCE = "tests/unit/test_cancel_at_once.py"
TWIN = f"{LISTS}::test_a_twin_that_waits_for_its_take_holds_no_place_and_no_picture"
ENDS = f"{LISTS}::test_however_a_run_ends_its_slot_is_given_back_once"

MUTATIONS: tuple[Mutation, ...] = (
    # -- the line ------------------------------------------------------------------------------------------
    one(
        "one that comes back sends while another's create is on its way",
        SOURCE_SLOTS,
        "return self._sender is None and self._first() is place",
        "return self._first() is place",
        SLOTS,
    ),
    one(
        "one that comes back begins at the end of the line",
        SOURCE_SLOTS,
        "            insort(self._waiting, place, key=_arrival)\n",
        "            self._waiting.append(place)\n",
        SLOTS,
    ),
    one(
        "those that look a create up let ever more pictures be packed",
        SOURCE_SLOTS,
        "while self._waiting and len(self._near) < NEAR:",
        "while self._waiting and len([each for each in self._near if not each.is_aside]) < NEAR:",
        SLOTS,
    ),
    one(
        "a list packs all of its pictures at once",
        SOURCE_SLOTS,
        "NEAR = 2\n",
        "NEAR = 100\n",
        f"{LISTS}::test_a_list_of_pictures_takes_little_more_memory_than_one",
    ),
    one(
        "a node that is cancelled stays in the line for a free slot",
        SOURCE_SLOTS,
        "            place.leave()\n            place.slot.free()\n",
        "            place.slot.free()\n",
        INTERRUPT,
        SLOTS,
    ),
    one(
        "nobody is called when a turn is given up",
        SOURCE_SLOTS,
        "            self._sender = None\n        self._move()\n",
        "            self._sender = None\n",
        SLOTS,
    ),
    one(
        "a lock on its way to the next one counts as free, and the whole line waits for a take",
        SOURCE_SLOTS,
        "return self.locked() or self._comers > 0",
        "return self.locked()",
        SLOTS,
    ),
    one(
        "a twin that waits for its take holds the line up",
        SOURCE_STUDIO,
        "                del plan\n                place.leave()\n",
        "                del plan\n",
        TWIN,
    ),
    one(
        "a twin that waits for its take keeps its pictures",
        SOURCE_STUDIO,
        "                del plan\n                place.leave()\n",
        "                place.leave()\n",
        TWIN,
    ),
    one(
        "a picture is kept until its video is there",
        SOURCE_STUDIO,
        "            del plan\n            place.leave()\n            return await Follower",
        "            place.leave()\n            return await Follower",
        TWIN,
    ),
    # -- slots ---------------------------------------------------------------------------------------------
    one(
        "a task that ends wakes nobody",
        SOURCE_SLOTS,
        "                waker.set_result(None)\n",
        "                pass\n",
        SLOTS,
    ),
    one(
        "a task that ends while a create is on its way is no news",
        SOURCE_SLOTS,
        "if pause.whole <= pause.least or self.ended > ended:",
        "if pause.whole <= pause.least:",
        SLOTS,
    ),
    one(
        "a task that ends cuts short what the server asked to wait",
        SOURCE_SLOTS,
        "        if pause.least > 0:\n            await clock.sleep(pause.least)\n",
        "        pause = Pause(0.0, pause.whole)\n",
        SLOTS,
    ),
    one(
        "short tasks hide the slots that others have left",
        SOURCE_SLOTS,
        "        if self._tried_at is None:\n            self._tried_at = now\n",
        "        self._tried_at = now\n",
        SLOTS,
        f"{LISTS}::test_slots_that_others_leave_are_found_while_our_own_tasks_come_and_go",
    ),
    one(
        "a full account is asked at every chance",
        SOURCE_SLOTS,
        "return self.limit is not None and self.running >= self.limit",
        "return False",
        SLOTS,
    ),
    one(
        "the number of slots never grows again",
        SOURCE_SLOTS,
        "            self.limit, self._refusals, self._tried_at = None, 0, None\n",
        "            pass\n",
        SLOTS,
    ),
    one(
        "a run that ends otherwise than its task keeps the slot",
        SOURCE_SLOTS,
        "            place.leave()\n            place.slot.free()\n",
        "            place.leave()\n",
        SLOTS,
        ENDS,
    ),
    one(
        "a slot is given back twice",
        SOURCE_SLOTS,
        "            self._queue.gave_back()\n        self._is_held = False\n",
        "            self._queue.gave_back()\n",
        SLOTS,
        ENDS,
    ),
    one(
        "a task of an earlier run holds no slot",
        "apis/follower.py",
        "            slot.take()\n",
        "            pass\n",
        f"{LISTS}::test_a_task_collected_from_an_earlier_run_holds_its_slot_while_it_runs",
    ),
    one(
        "too fast counts as too many",
        SOURCE_SENDING,
        "if error.code == NO_FREE_SLOT:",
        "if True:",
        f"{LISTS}::test_too_fast_is_not_too_many",
    ),
    one(
        "a list is given up while its own tasks hold the slots",
        SOURCE_SENDING,
        "        if queue.running:\n            self._waited_since = now\n        elif now",
        "        if now",
        f"{LISTS}::test_while_own_tasks_hold_the_slots_the_wait_is_never_over",
    ),
    one(
        "a create that is cancelled on its way counts as never made",
        SOURCE_SENDING,
        "            if self._doubts == 0 and not self._under_way:\n",
        "            if self._doubts == 0:\n",
        INTERRUPT,
    ),
    one(
        "a run that is cancelled while it waits for a slot leaves a doubt behind",
        SOURCE_SENDING,
        "            if self._doubts == 0 and not self._under_way:\n",
        "            if False:\n",
        INTERRUPT,
    ),
    one(
        "the line waits for the account's answer about its packs",
        SOURCE_STUDIO,
        "                await stack.enter_async_context(beside(self._learn_slots(place.queue)))\n",
        "                await self._learn_slots(place.queue)\n",
        f"{LISTS}::test_an_account_that_does_not_answer_holds_nobody_up",
    ),
    one(
        "the account is asked about its packs by every list",
        SOURCE_STUDIO,
        "        _slots_asked[settings.account] = now\n",
        "",
        f"{LISTS}::test_the_account_is_asked_once_an_hour_and_need_not_answer",
    ),
    # -- what is shown of it -------------------------------------------------------------------------------
    one(
        "every item of a list sends texts of its own",
        "apis/reporter.py",
        "        if not self._node.board.is_list:\n            self._show_now()\n",
        "        if True:\n            self._show_now()\n",
        REPORTER,
    ),
    one(
        "the last text of a list is lost",
        "apis/reporter.py",
        "        if self._node.board.is_over:\n            self._show_now()\n",
        "        if self._node.board.is_over:\n",
        REPORTER,
    ),
    one(
        "a list is bought from before its sum is known",
        "nodes/base.py",
        "                    await reporter.sum_known()\n",
        "",
        REPORTER,
    ),
    one(
        "what a list shows does not say who pays",
        "nodes/base.py",
        "for note in (*await studio.notes(), *made.notes):",
        "for note in made.notes:",
        REPORTER,
    ),
    one(
        "in a list nobody hears of a purchase in doubt",
        "apis/sending.py",
        "    status.warn(text)\n",
        "    status.show(text)\n",
        REPORTER,
    ),
    one(
        "in a list a warning for which the board has no room is not shown",
        "apis/reporter.py",
        'shown if warning in shown else f"{shown}\\n{warning}"',
        "shown",
        REPORTER,
    ),
    one(
        "every piece of a download sends a text",
        "apis/follower.py",
        'self.status.show_soon(f"Downloading',
        'self.status.show(f"Downloading',
        f"{LISTS}::test_a_download_says_how_far_it_is_once_a_second_and_not_with_every_piece",
    ),
    one(
        "marks inside a pasted prompt buy a second video",
        "nodes/prompt_list.py",
        r're.split(r"\r\n|\r|\n", text)',
        "text.splitlines()",
        NODES,
    ),
    # -- cancel --------------------------------------------------------------------------------------------
    one(
        "the end of a prompt waits for a picture that is packed or a file that is synced",
        "apis/transport/threads.py",
        '    threading.Thread(target=run, name="kling-takes-call", daemon=True).start()\n',
        "    loop.run_in_executor(None, run)\n",
        AT_ONCE,
    ),
)
