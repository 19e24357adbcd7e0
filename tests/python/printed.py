"""Pages that show what a command prints: held to it, or with HADAL_UPDATE=1 rewritten."""

import os
import re

DECIMAL = re.compile(r"(?<![\w.,])-?\d+\.\d+(?![\w.])")
FEWEST = 4  # Digits of a value computed in f32, whose last one is the processor's: sums have their own order on each.


def is_same(shown, printed):
    """Equal texts, but for the last digit of values."""
    if DECIMAL.split(shown) != DECIMAL.split(printed):
        return False
    return all(one == other or differs_in_last(one, other)
               for one, other in zip(DECIMAL.findall(shown), DECIMAL.findall(printed), strict=True))


def differs_in_last(one, other):
    digits = [number.lstrip("-0.").replace(".", "") for number in (one, other)]
    places = [len(number.partition(".")[2]) for number in (one, other)]
    return (places[0] == places[1] and min(map(len, digits)) >= FEWEST
            and abs(float(one) - float(other)) < 1.5 * 10 ** -places[0])


def hold(text, start, end, printed):
    """The page with `printed` at start to end, where that is asked for; else it must stand there."""
    if is_same(text[start:end], printed):
        return text
    if os.environ.get("HADAL_UPDATE"):
        return text[:start] + printed + text[end:]
    assert text[start:end] == printed
    return text
