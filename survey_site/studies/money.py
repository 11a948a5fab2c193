"""Amounts of money: kept in a currency's smallest unit, so that sums are exact. Pure."""

from __future__ import annotations

from decimal import Decimal

#: By ISO 4217 code: digits after the point.
CURRENCIES = {
    "GBP": 2, "EUR": 2, "USD": 2, "AUD": 2, "CAD": 2, "CHF": 2, "CZK": 2, "DKK": 2, "ILS": 2, "INR": 2,
    "JPY": 0, "KRW": 0, "NOK": 2, "NZD": 2, "PLN": 2, "SEK": 2,
}  # fmt: skip
DEFAULT_CURRENCY = "GBP"


class MoneyError(ValueError):
    """An amount that cannot be paid; the message names it and what is allowed."""


def minor_units(amount: Decimal, currency: str) -> int:
    """The amount in the currency's smallest unit. Raises MoneyError for fractions of that, and negatives.

    >>> minor_units(Decimal("2.50"), "GBP")
    250
    """
    if currency not in CURRENCIES:
        raise MoneyError(f"currency is {currency!r}; allowed: {', '.join(CURRENCIES)}")
    digits = CURRENCIES[currency]
    minor = amount.scaleb(digits)
    if not amount.is_finite() or minor < 0 or minor != minor.to_integral_value():
        raise MoneyError(
            f"{amount} {currency} cannot be paid; allowed: 0 or more, with {digits} digits after the point"
        )
    return int(minor)


def as_decimal(minor: int, currency: str) -> Decimal:
    """The amount in the currency itself.

    >>> as_decimal(250, "GBP")
    Decimal('2.50')
    """
    return Decimal(minor).scaleb(-CURRENCIES[currency])


def as_text(minor: int, currency: str) -> str:
    """For people.

    >>> as_text(250, "GBP")
    '2.50 GBP'
    """
    return f"{as_decimal(minor, currency)} {currency}"
