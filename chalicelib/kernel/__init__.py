"""What every layer speaks: money, ids, periods, quantities, errors, pages.

Owns no state and no input or output: the standard library and msgspec only. Everyone may import it; it imports nobody.
"""
