"""Single-operand edits of a program's text: a table of kinds, each with where it applies and what it puts there."""

import dataclasses
import re
import struct

QUEUES = ["load", "prefetch", "store", "matrix", "vector", "host"]
OPCODES = {"load": "gather", "store": "load", "conv": "conv_transpose", "conv_depthwise": "conv", "matmul": "conv",
           "softmax": "scan", "norm": "softmax", "pool": "transpose", "map": "select_along", "reduce": "scan"}
LET_OPS = ["add", "sub", "mul", "div", "mod", "min", "max", "ceildiv", "eq", "less"]
UNARY = ["copy", "neg", "abs", "relu", "exp", "sqrt", "tanh", "sigmoid", "gelu", "reciprocal", "gelu_tanh"]
BINARY = ["add", "sub", "mul", "div", "min", "max", "equal"]


@dataclasses.dataclass
class Edit:
    """Columns `begin` to `end` of a line become `text`."""

    kind: str
    line: int
    begin: int
    end: int
    text: str

    def apply(self, lines):
        old = lines[self.line]
        return [*lines[: self.line], old[: self.begin] + self.text + old[self.end :], *lines[self.line + 1 :]]

    def show(self, lines):
        old = lines[self.line]
        around = old[max(self.begin - 60, 0) : self.begin].lstrip()
        brief = lambda text: text if len(text) < 40 else f"{len(text) // 2} bytes"
        return f"{around}[{brief(old[self.begin : self.end])} -> {brief(self.text)}]{old[self.end : self.end + 30]}"


def near(random, text):
    """Another whole number close by."""
    return str(int(text) + random.choice([-1, 1]))


def count(random, text):
    """Another count: one less or more, none, or twice as many."""
    return str(random.choice([c for c in {int(text) - 1, int(text) + 1, 2 * int(text)} if 0 <= c != int(text)]))


def less(random, text):
    """A bound one lower: a higher one says less, and nothing else."""
    return str(int(text) - 1)


def register(random, text):
    """Another register; all that programs use are below r30."""
    return f"r{random.choice([r for r in range(30) if r != int(text[1:])])}"


def register_or(change):
    """Another register in place of one, else what `change` makes of a number."""
    return lambda random, text: (register if text[0] == "r" else change)(random, text)


def times(random, text):
    """Another count for a semaphore that stands alone."""
    return f"{text} * {random.choice([0, 2, 3])}"


def number(random, text):
    """A float half as large again, or 0.25 for 0."""
    return f"{float(text) * 1.5 or 0.25:.6g}"


def fixed(value):
    """That value, where it is another."""
    return lambda random, text: value if text != value else None


def bytes_off(random, text):
    """A size or place in bytes, off by one 32-bit element."""
    return str(max(int(text) + random.choice([-4, 4]), 0))


def other(*groups):
    """Another word of the same group."""
    def change(random, text):
        group = next((g for g in groups if text in g), [])
        return random.choice([word for word in group if word != text] or [None])

    return change


def element(random, text):
    """One f32 of the weight's bytes, doubled; 1 where it was 0."""
    at = 8 * random.randrange(len(text) // 8)
    value = struct.unpack("<f", bytes.fromhex(text[at : at + 8]))[0]
    return text[:at] + struct.pack("<f", 2 * value or 1.0).hex() + text[at + 8 :]


@dataclasses.dataclass
class Kind:
    """`edits` of the test, more where programs have more such operands; lines that match `line`, of which each match of `what`
    (its group, if it has one) is a site."""

    name: str
    edits: int
    line: str
    what: str
    change: callable


# Why an edit of a kind may change nothing.
SAME = "it has the same value either way, where it is used"
SLACK = {
    "weight value": "what it is multiplied by is 0, or what it yields is cut off by a ReLU or by rounding",
    "let constant": "a bound or a rounded quotient is the same for every core that has work",
    "let operation": "on the numbers that occur both operations give the same",
    "ring counter": "a ring's tiles take other slots, on both its sides",
    "opcode": "a 1x1 convolution is its own adjoint",
    "queue": "a signal is given early and nobody has waited for it, or both queues are idle",
    "view buffer": "what is read instead holds the same bytes",
    "view type": "the values are the same in both types",
    "ring slots": "the tile is in slot 0 either way",
    "ring slot bytes": "the tile is in slot 0 either way",
    "initial count": "a ring is never full, or a wait is never the last to be met",
    "field": "padding, a stride or a start that no window reaches",
    "field register": "sums lie elsewhere in the accumulator, or the register holds the same value",
    "tensor stride": "the axis has one element, or equal ones",
    "buffer place": "the buffers that it now covers are not in use at the same time",
}

CODE = r" +(?!at )\w"  # Instructions are indented, declarations are not; `at` says whose layer an instruction is.
WORK = r" +(load|gather|store|matmul|conv|map|reduce|softmax|norm|pool|resample)\w* "
LET = r" +let (?!(r\d+) = add \1, 1$)"  # Those left out count the tiles of a ring.
KINDS = [
    Kind("weight value", 14, r"weight ", r'hex "([0-9a-f]+)"', element),
    Kind("weight place", 3, r"weight ", r" at (\d+) hex", bytes_off),
    Kind("loop count", 5, r" +loop ", r"loop r\d+, (\d+|r\d+)", register_or(count)),
    Kind("loop bound", 3, r" +loop ", r" max (\d+)", less),
    Kind("let constant", 10, LET, r"[ (](-?\d+)\b", near),
    Kind("let register", 6, LET, r"[a-z] (r\d+)|, (r\d+)", register),
    Kind("let target", 5, LET, r"let (r\d+)", register),
    Kind("let operation", 5, LET, r"= (\w+)", other(LET_OPS)),
    Kind("ring counter", 1, r" +let (r\d+) = add \1, 1$", r", (1)$", near),
    Kind("opcode", 6, WORK, r"^ +(\w+)", lambda random, text: OPCODES.get(text)),
    Kind("queue", 4, CODE, r" on (\w+)", other(QUEUES)),
    Kind("view tensor", 8, WORK, rf"(#\d+)\[", lambda random, text: f"#{int(text[1:]) + random.choice([-3, -2, -1, 1, 2, 3])}"),
    Kind("view buffer", 8, WORK, r"\b(activation2?|weight|parameter|residual|result|stream|constant|output|temporary)\.\w+\[",
         other(["activation", "weight", "parameter", "residual", "result", "stream", "constant", "output"])),
    Kind("view type", 4, WORK, r"\.(f32|bf16|i32)[\[ ]", other(["f32", "bf16", "i32"])),
    Kind("view origin", 24, WORK, r"[\[ ](?<!% )(?<!x )(\d+)(?=[^\]\[%]*\] \[)", near),
    Kind("view origin register", 7, WORK, r"[\[ ](r\d+)(?=(?:\*\d+)?[,\] ])(?=[^\]\[%<]*\] \[)", register),
    Kind("view origin scale", 7, WORK, r"r\d+\*(\d+)(?=[^\]\[]*\] \[)", near),
    Kind("view extent", 24, WORK, r"\] \[(?:[^\]]*, )?(\d+)(?=[,\]])", near),
    Kind("view extent register", 5, WORK, r"(r\d+) <= ", register),
    Kind("view extent bound", 4, WORK, r" <= (\d+)", less),
    Kind("ring register", 6, WORK, r"\[(r\d+)(?: - \d+)? % ", register),
    Kind("ring shift", 4, WORK, r"\[r\d+( - \d+)? % ", lambda random, text: " + 1" if not text else None),
    Kind("ring slots", 3, WORK, r" % (\d+) x ", lambda random, text: str(random.choice([1, 2 * int(text)]))),
    Kind("ring slot bytes", 7, WORK, r" % \d+ x (\d+)", bytes_off),
    Kind("wait count", 8, CODE, r" wait (?:[^;]*, )?([\w.]+)(?=,|  signal|$)", times),
    Kind("wait semaphore", 5, CODE, r" wait ([\w.]+)", other(["weight.full", "activation.full", "result.full", "stream.full"],
                                                               ["weight.free", "activation.free", "result.free", "stream.free"],
                                                               ["ready.0", "ready.1"])),
    Kind("signal count", 8, CODE, r" signal (?:[^;]*, )?([\w.]+)(?=,|$)", times),
    Kind("signal reach", 4, CODE, r"( everywhere)", lambda random, text: ""),
    Kind("initial count", 2, r"semaphore ", r" (\d+) for", fixed("1")),
    Kind("semaphore's queue", 3, r"semaphore ", r"for (\w+)", other(QUEUES)),
    Kind("chain operation", 5, r"chain ", r" (\w+)\(", other(UNARY, BINARY)),
    Kind("chain operand", 4, r"chain ", r"[( ]([is]\d)", other([f"i{n}" for n in range(5)], [f"s{n}" for n in range(4)])),
    Kind("chain constant", 3, r"chain ", r"(?:alpha|beta) ([-\d.e]+)", number),
    Kind("epilogue and chain", 4, WORK, r" (?:epilogue|chain) (\d+)", near),
    Kind("field", 10, WORK, r" (?:stride|pad|kernel|dilation|axis|axes|start|base|groups)\w* (\d+)\b", near),
    Kind("field register", 4, WORK, r" (?:pad|accumulat|start|base|emit)\w* (r\d+)", register),
    Kind("field flag or choice", 5, WORK, r"( transpose_[ab])| (?:kind) (\w+)",
         lambda random, text: "" if text[0] == " " else {"mean": "sum", "max": "min", "sum": "mean"}.get(text)),
    Kind("norm epsilon", 2, WORK, r"epsilon ([-\d.e]+)", lambda random, text: str(float(text) * 100)),
    Kind("tensor extent", 4, r"tensor .* in ", r"[\[ ](\d+)(?=[,\]])(?=[^\[]*\](?: strides| at|$))", less),
    Kind("tensor stride", 5, r"tensor .* in ", r"strides \[(?:\d+, )*([1-9]\d*)", bytes_off),
    Kind("tensor place", 5, r"tensor .* in ", r" at (\d+)$", bytes_off),
    Kind("buffer place", 1, r"tensor .* scratchpad ", r" at (\d+)$", lambda random, text: str(random.choice([0, 2 * int(text)]))),
    Kind("port", 3, r"(input|output) ", r"[\[ ](\d+)[,\]]", near),
    Kind("parameter", 2, r"param ", r"(r\d+)|\.\. (\d+)", register_or(less)),
]


def used(lines):
    """The lines of what instructions name, and theirs: other declarations are nobody's operands."""
    code = lines.index("code")
    words = set(re.findall(r'#\d+|"(?:[^"\\]|\\.)*"|[\w.]+', "\n".join(lines[code:])))
    tensors = 0
    for index, line in enumerate(lines[:code]):
        what, name = (re.findall(r'"(?:[^"\\]|\\.)*"|\S+', line) + [""])[:2]
        number = f"#{tensors}"
        tensors += what == "tensor"
        if what not in ("tensor", "semaphore") or name in words or (what == "tensor" and number in words):
            yield index
    yield from range(code + 1, len(lines))


def same_place(lines, *numbers):
    """Whether tensors are two names of one place."""
    tensors = [re.sub(r'^tensor ("(?:[^"\\]|\\.)*"|\S+)', "", line) for line in lines if line.startswith("tensor ")]
    return len({tensors[int(number[1:])] for number in numbers}) == 1


def edits_of(kind, lines, random):
    """Every site of a kind, each with one edit, in random order."""
    sites = []
    for index in used(lines):
        if re.match(kind.line, lines[index]):
            for match in re.finditer(kind.what, lines[index].split("  ;")[0]):
                group = next((g for g in range(1, len(match.groups()) + 1) if match[g] is not None), None)
                sites.append((index, *(match.span(group) if group else (match.start(1), match.start(1)))))
    random.shuffle(sites)
    for index, begin, end in sites:
        before = lines[index][begin:end]
        after = kind.change(random, before)
        if after is not None and after != before and not (kind.name == "view tensor" and same_place(lines, before, after)):
            yield Edit(kind.name, index, begin, end, after)
