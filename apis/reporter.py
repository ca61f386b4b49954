"""When a node's board is shown: one take's at once, a list's once a second, and the last text in any case.

Each item of a list has a reporter of its own, and all of a node share its board. So what a browser gets does
not grow with the list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from .board import Board, Line, Stage
from .kling.products.base import Price

#: seconds between two texts about a list
TEXT_EVERY = 1.0
#: seconds without another item after which a list is complete: ComfyUI starts one item each turn of the loop
COMPLETE_AFTER = 0.05


class _Shared:
    """The board of a node, and when it is to be shown."""

    def __init__(self) -> None:
        self.board = Board()
        self.is_complete = False
        self.due: asyncio.TimerHandle | None = None


class TakeReporter:
    """Says on a node's board what one take is doing.

    ``show`` brings the board's text and how far it is, 0..1, to the user. ``prefix`` stands before every
    line; it says where no money is real.
    """

    shared: ClassVar[dict[tuple[str | None, str | None], _Shared]] = {}

    def __init__(
        self, prompt_id: str | None, node_id: str | None, place: int, show: Callable[[str, float], None]
    ) -> None:
        """Begin the line of a take; ``place`` is its place in the list."""
        self.prompt_id = prompt_id
        self.node_id = node_id
        self.prefix = ""
        self._place = place
        self._show = show
        self._node = self.shared.setdefault((prompt_id, node_id), _Shared())
        self._line = self._node.board.lines[place] = Line()

    def __enter__(self) -> TakeReporter:
        """Belong to the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave the last line readable until all items of the node are done."""
        self._line.stage, self._line.fraction = Stage.FAILED if kind else Stage.DONE, 1.0
        if self._node.board.is_over:
            self._show_now()
            self.shared.pop((self.prompt_id, self.node_id), None)

    def costs(self, price: Price | None) -> None:
        """Note the price, None where it is not known."""
        self._line.price, self._line.is_priced = price, True

    async def sum_known(self) -> None:
        """Wait until the prices of all items of the list are decided, and show their sum."""
        node = self._node
        while not node.is_complete:
            count = len(node.board.lines)
            await asyncio.sleep(COMPLETE_AFTER)
            decided = all(line.is_priced or line.stage is Stage.FAILED for line in node.board.lines.values())
            if count == len(node.board.lines) and decided:
                node.is_complete = True
                if node.board.is_list:
                    self._show_now()

    def note(self, text: str) -> None:
        """Keep a sentence below the changing line, such as the price."""
        self._node.board.note(self._place, text)

    def warn(self, text: str) -> None:
        """Show a sentence at once, also in a list, where a line of one take is not shown."""
        board = self._node.board
        if not board.is_list:
            self._show_now()
            return
        board.note(self._place, text)
        # A note that finds no room on the board is not shown with it; this one must have been, once.
        shown, warning = board.text(self.prefix), f"{self._place + 1}: {text}"
        self._show(shown if warning in shown else f"{shown}\n{warning}", board.fraction)

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        """Show what happens now; ``elapsed`` and ``expected`` in seconds."""
        self._line.state(text, elapsed, expected)
        self._show_soon()

    def say(self, text: str) -> None:
        """Show a line that takes no time: the bar stays where it is."""
        self._line.text = text
        self._show_soon()

    def _show_soon(self) -> None:
        """Show the board now, or within a second where it has many items."""
        if not self._node.board.is_list:
            self._show_now()
        elif self._node.due is None:
            self._node.due = asyncio.get_running_loop().call_later(TEXT_EVERY, self._show_now)

    def _show_now(self) -> None:
        if self._node.due is not None:
            self._node.due.cancel()
            self._node.due = None
        self._show(self._node.board.text(self.prefix), self._node.board.fraction)
