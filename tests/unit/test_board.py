"""What a node shows while its takes are on their way."""

from __future__ import annotations

from kling_takes.apis.board import Board, Line, Stage
from kling_takes.apis.kling.products.base import Price


def board(*lines: Line) -> Board:
    made = Board()
    made.lines = dict(enumerate(lines))
    return made


def test_one_take_has_its_line_and_its_notes() -> None:
    one = board(Line())
    one.lines[0].state("Kling is making the video", 12.0, 60.0)
    one.note(0, "Estimated price: 1.5 units ($0.21).")
    one.note(0, "Estimated price: 1.5 units ($0.21).")
    assert one.text("Simulated · ") == (
        "Simulated · Kling is making the video · 12 s of about 60 s\nEstimated price: 1.5 units ($0.21)."
    )
    assert one.fraction == 0.2 * 0.95


def test_a_list_is_counted_and_its_sum_is_said() -> None:
    price = Price(1.5, 0.21)
    stages = [Stage.DONE] * 3 + [Stage.RUNNING] * 2 + [Stage.WAITING] * 4 + [Stage.FAILED]
    many = board(*(Line(stage=stage, price=price) for stage in stages))
    assert many.text() == (
        "3 of 10 done · 4 waiting · 2 running · 1 failed\n"
        "10 x 1.5 units ($0.21) = 15 units ($2.10). What is collected costs nothing."
    )


def test_unequal_prices_have_a_sum_and_unknown_ones_are_named() -> None:
    mixed = board(Line(price=Price(1.5, 0.21)), Line(price=Price(3.0, 0.42)), Line())
    assert mixed.text().splitlines()[1] == (
        "Together 4.5 units ($0.63), and 1 without a known price. What is collected costs nothing."
    )


def test_of_a_list_what_several_say_is_shown_once_and_then_the_newest_of_the_rest() -> None:
    many = board(*(Line() for _ in range(100)))
    for place in range(100):
        many.note(place, "Paid by your Kling key.")
        many.note(place, f"The picture {place} was made smaller.")
    shown = many.text().splitlines()[1:]
    assert shown[:3] == [
        "Paid by your Kling key.",
        "100: The picture 99 was made smaller.",
        "99: The picture 98 was made smaller.",
    ]
    assert 5 < len(shown) < 20


def test_the_text_of_a_list_does_not_grow_with_it() -> None:
    texts = []
    for count in (10, 10_000):
        many = board(*(Line(price=Price(1.5, 0.21)) for _ in range(count)))
        for place in range(count):
            many.note(place, f"{place} " + "x" * 300)
        texts.append(many.text())
    assert len(texts[1]) - len(texts[0]) < 30
    assert len(texts[1]) < 700


def test_a_board_is_over_when_every_take_has_come_to_its_end() -> None:
    two = board(Line(stage=Stage.DONE), Line(stage=Stage.RUNNING))
    assert not two.is_over
    two.lines[1].stage = Stage.FAILED
    assert two.is_over
