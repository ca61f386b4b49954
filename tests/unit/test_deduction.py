"""What Kling took: read from both dialects, said in words, and compared with a limit in dollars."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes.apis.kling.deduction import Deduction, amount, of_legacy, of_standard


def cash(amount: Any, currency: Any = "USD") -> dict[str, Any]:
    return {"charge_type": "cash", "amount": amount, "currency": currency}


def units(amount: Any, package: str = "video") -> dict[str, Any]:
    return {"charge_type": "unit", "amount": amount, "package_type": package}


@pytest.mark.parametrize(
    ("told_units", "balance", "found"),
    [
        ("1.5", {"quota": "0"}, Deduction(1.5, 0.0)),
        ("0", {"quota": "0.21", "list_price": "0.30"}, Deduction(0.0, 0.21)),
        ("0", {"quota": 0.21}, Deduction(0.0, 0.21)),
        (None, {"quota": "0.21"}, Deduction(None, 0.21)),
        ("1", {"quota": "0.1"}, Deduction(1.0, 0.1)),
        ("1.5", None, Deduction(1.5)),
        ("1.5", "0.21", Deduction(1.5)),
        ("1.5", {"quota": "much"}, Deduction(1.5)),
        (None, None, Deduction()),
    ],
)
def test_a_record_of_v1_tells_units_and_the_money_that_was_taken(
    told_units: Any, balance: Any, found: Deduction
) -> None:
    assert of_legacy(told_units, balance) == found


@pytest.mark.parametrize(
    ("billing", "found"),
    [
        ([units("3")], Deduction(3.0)),
        ([cash("0.21")], Deduction(None, 0.21, "USD")),
        ([cash("0.1"), cash("0.2")], Deduction(None, pytest.approx(0.3), "USD")),
        ([cash("1.5", "CNY"), units("0")], Deduction(0.0, 1.5, "CNY")),
        ([cash("1.5", "CNY"), cash("0.2", "USD")], Deduction(None, 1.7, "mixed")),
        ([cash("1.5", "CNY"), cash("0", "USD")], Deduction(None, 1.5, "CNY")),
        ([cash("0.2", None), units("1"), units("8", "image")], Deduction(1.0, 0.2)),
        ([cash("much"), "odd", None], Deduction()),
        ([{"charge_type": "favour", "amount": "7"}], Deduction()),
        ("0.21", Deduction()),
        (None, Deduction()),
    ],
)
def test_the_list_of_the_new_standard_is_summed(billing: Any, found: Deduction) -> None:
    assert of_standard(billing) == found


@pytest.mark.parametrize(
    ("deduction", "said"),
    [
        (Deduction(), ""),
        (Deduction(1.5), "1.5 units"),
        (Deduction(0.0), "0 units"),
        (Deduction(0.0, 0.0, "USD"), "0 units"),
        (Deduction(0.0, 0.21, "USD"), "$0.21"),
        (Deduction(1.5, 0.1, "USD"), "1.5 units and $0.10"),
        (Deduction(None, 1.5, "CNY"), "¥1.50"),
        (Deduction(None, 2.0, "EUR"), "2.00 EUR"),
        (Deduction(None, 0.0, "USD"), "$0.00"),
    ],
)
def test_it_is_said_in_units_or_money(deduction: Deduction, said: str) -> None:
    assert str(deduction) == said


@pytest.mark.parametrize(
    ("deduction", "usd"),
    [
        (Deduction(), None),
        (Deduction(0.0, 0.0, "USD"), None),
        (Deduction(1.5), 0.21),
        (Deduction(0.0, 0.35, "USD"), 0.35),
        (Deduction(1.5, 0.1, "USD"), 0.31),
        (Deduction(None, 1.5, "CNY"), None),
        (Deduction(1.5, 1.5, "CNY"), None),
        (Deduction(1.5, 0.0, "CNY"), 0.21),
        (Deduction(None, 1.7, "mixed"), None),
    ],
)
def test_it_is_dollars_only_where_all_of_it_is(deduction: Deduction, usd: float | None) -> None:
    assert deduction.usd(0.14) == (None if usd is None else pytest.approx(usd))


@given(st.one_of(st.floats(), st.text(), st.integers(), st.none(), st.binary(), st.lists(st.integers())))
def test_an_amount_is_a_number_from_zero_up_or_not_known(value: Any) -> None:
    found = amount(value)
    assert found is None or 0 <= found < float("inf")


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"amount": st.floats(), "charge_type": st.text()}) | st.none()
    )
)
def test_entries_in_a_form_that_nobody_knows_take_nothing(billing: list[Any]) -> None:
    known = [each for each in billing if not each or each.get("charge_type") not in ("unit", "cash")]
    assert of_standard(known) == Deduction()
