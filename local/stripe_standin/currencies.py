"""Amounts that Stripe accepts for a currency.

Source: https://docs.stripe.com/currencies (minimum charge amounts, zero- and three-decimal currencies).
"""

from local.stripe_standin.errors import Refusal

AMOUNT_MAX = 99_999_999


def codes(text: str) -> list[str]:
    return text.split()


ZERO_DECIMAL = frozenset(codes("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"))
THREE_DECIMAL = frozenset(codes("bhd jod kwd omr tnd"))
TWO_DECIMAL = frozenset(
    codes(
        "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf "
        "chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf "
        "idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk "
        "mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd "
        "shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst xcd yer zar zmw"
    )
)

# Where Stripe publishes no figure it converts to half a dollar at a daily rate; the stand-in then asks for one unit.
MINIMUMS = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip


def check_amount(amount: int, currency: str) -> str:
    """Answer the currency in lower case, or raise Stripe's refusal of this amount (minor units)."""
    code = currency.lower()
    if code not in TWO_DECIMAL and code not in ZERO_DECIMAL and code not in THREE_DECIMAL:
        known = ", ".join(sorted(TWO_DECIMAL | ZERO_DECIMAL | THREE_DECIMAL))
        message = f"Invalid currency: {currency}. Stripe currently supports these currencies: {known}"
        raise Refusal(400, message, param="currency")
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise Refusal(400, message, code="parameter_invalid_integer", param="amount")
    if amount > AMOUNT_MAX:
        message = f"Amount must be no more than {shown(AMOUNT_MAX, code)}"
        raise Refusal(400, message, code="amount_too_large", param="amount")
    if code in THREE_DECIMAL and amount % 10:
        message = f"Invalid amount: the amount in {code} must be evenly divisible by 10"
        raise Refusal(400, message, param="amount")
    minimum = MINIMUMS.get(code, 1)
    if amount < minimum:
        message = f"Amount must be at least {shown(minimum, code)}"
        raise Refusal(400, message, code="amount_too_small", param="amount")
    return code


def shown(amount: int, currency: str) -> str:
    """An amount as Stripe's messages print it."""
    digits = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    sign = {"usd": "$", "eur": "€", "gbp": "£"}.get(currency, "")
    return f"{sign}{amount / 10**digits:,.{digits}f} {currency}"
