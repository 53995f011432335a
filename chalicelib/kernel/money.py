"""Money: integer minor units with their currency, and the one rounding rule.

Prices and ratios are exact decimals until a line is priced; then `Money.of` rounds half up, once. Exponents are those
of ISO 4217 (list one, https://www.iso.org/iso-4217-currency-codes.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

MINOR_UNITS_MAX = 99_999_999_999  # above Stripe's largest amount, far below 2**53
DECIMAL_DIGITS = 60  # so that no product of a price, a quantity and ratios is ever rounded before its line


@dataclass(frozen=True, slots=True)
class Currency:
    code: str
    name: str
    exponent: int


def _table(rows: str) -> dict[str, Currency]:
    found = {}
    for row in rows.strip().splitlines():
        code, exponent, name = row.strip().split(" ", 2)
        found[code] = Currency(code, name, int(exponent))
    return found


CURRENCIES = _table(
    """
    AED 2 UAE Dirham
    ARS 2 Argentine Peso
    AUD 2 Australian Dollar
    BDT 2 Bangladeshi Taka
    BGN 2 Bulgarian Lev
    BHD 3 Bahraini Dinar
    BOB 2 Bolivian Boliviano
    BRL 2 Brazilian Real
    CAD 2 Canadian Dollar
    CHF 2 Swiss Franc
    CLP 0 Chilean Peso
    CNY 2 Chinese Yuan
    COP 2 Colombian Peso
    CRC 2 Costa Rican Colon
    CZK 2 Czech Koruna
    DKK 2 Danish Krone
    DOP 2 Dominican Peso
    EGP 2 Egyptian Pound
    EUR 2 Euro
    GBP 2 British Pound
    GEL 2 Georgian Lari
    GTQ 2 Guatemalan Quetzal
    HKD 2 Hong Kong Dollar
    HNL 2 Honduran Lempira
    HUF 2 Hungarian Forint
    IDR 2 Indonesian Rupiah
    ILS 2 Israeli New Shekel
    INR 2 Indian Rupee
    JOD 3 Jordanian Dinar
    JPY 0 Japanese Yen
    KES 2 Kenyan Shilling
    KRW 0 South Korean Won
    KWD 3 Kuwaiti Dinar
    LKR 2 Sri Lankan Rupee
    MAD 2 Moroccan Dirham
    MXN 2 Mexican Peso
    MYR 2 Malaysian Ringgit
    NGN 2 Nigerian Naira
    NIO 2 Nicaraguan Cordoba
    NOK 2 Norwegian Krone
    NZD 2 New Zealand Dollar
    OMR 3 Omani Rial
    PAB 2 Panamanian Balboa
    PEN 2 Peruvian Sol
    PHP 2 Philippine Peso
    PKR 2 Pakistani Rupee
    PLN 2 Polish Zloty
    PYG 0 Paraguayan Guarani
    QAR 2 Qatari Riyal
    RON 2 Romanian Leu
    RSD 2 Serbian Dinar
    SAR 2 Saudi Riyal
    SEK 2 Swedish Krona
    SGD 2 Singapore Dollar
    THB 2 Thai Baht
    TND 3 Tunisian Dinar
    TRY 2 Turkish Lira
    TWD 2 New Taiwan Dollar
    UAH 2 Ukrainian Hryvnia
    USD 2 US Dollar
    UYU 2 Uruguayan Peso
    VND 0 Vietnamese Dong
    ZAR 2 South African Rand
    """
)


class UnknownCurrency(ValueError):
    """A code that is not in the table of currencies."""


def currency(code: str) -> Currency:
    """The currency with this code, in any case of its letters. Raises UnknownCurrency."""
    found = CURRENCIES.get(code.upper())
    if found is None:
        raise UnknownCurrency(code)
    return found


def grain(code: str) -> int:
    """In how many minor units amounts are charged: ten where a currency has three decimals, since Stripe charges no
    others (https://docs.stripe.com/currencies#three-decimal).
    """
    return 10 if currency(code).exponent == 3 else 1


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, yen, fils) of one currency."""

    minor: int
    code: str

    @classmethod
    def of(cls, major: Decimal, code: str) -> Money:
        """Round an exact amount in major units half up to the minor unit, away from zero at the half.

        It is a multiple of the currency's grain.
        """
        found = currency(code)
        step = grain(code)
        with localcontext() as context:
            context.prec = DECIMAL_DIGITS
            steps = (major.scaleb(found.exponent) / step).quantize(Decimal(1), rounding=ROUND_HALF_UP)
            return cls(int(steps) * step, found.code)

    @classmethod
    def zero(cls, code: str) -> Money:
        return cls(0, currency(code).code)

    @property
    def major(self) -> Decimal:
        """The exact amount in major units, with as many decimals as the currency has."""
        return Decimal(self.minor).scaleb(-currency(self.code).exponent)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.code)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.code)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other).minor

    def __str__(self) -> str:
        return f"{self.major} {self.code}"

    def _same(self, other: Money) -> Money:
        if other.code != self.code:
            raise ValueError(f"{self.code} and {other.code} do not mix")
        return other


def exact(major: Decimal, *factors: Decimal | int) -> Decimal:
    """The product of a price and its factors with no rounding on the way."""
    with localcontext() as context:
        context.prec = DECIMAL_DIGITS
        for factor in factors:
            major = major * factor
        return major
