import pytest
from printed import is_same


@pytest.mark.parametrize("shown, printed, same", [
    ("[8] 0.01627", "[8] 0.01626", True),
    ("0.673957, 0.12097", "0.673958, 0.12096", True),
    ("9995.25 end", "9995.26 end", True),
    ("-3.1416", "-3.1415", True),
    ("0.01627", "0.01629", False),
    ("0.01627", "0.016270", False),
    ("0.01627", "-0.01627", False),
    ("439,903 59.6 %", "439,904 59.6 %", False),
    ("439,903 59.6 %", "439,903 59.7 %", False),
    ("0.000171366 s", "0.000171367 s", True),
    ("4434 latency", "4435 latency", False),
    ("1.234 one", "1.234 two", False),
])
def test_only_the_last_digit_of_a_value_may_differ(shown, printed, same):
    assert is_same(shown, printed) == same
