"""A folder of src includes itself and the folders before it, nothing else; heavy headers stay where they belong."""

import pathlib
import re

import pytest

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "src"
ORDER = ["base", "network", "chip", "memory", "isa", "rules", "tile", "graph", "onnx", "compile", "machine", "runtime", "debug",
         "train", "report", "api", "cli"]

# Exceptions to "everything before": what a folder may not see although it comes earlier.
FORBIDDEN = {
    "machine": {"graph", "onnx", "compile"},  # the program is all that runs
    "cli": {"api"},  # two doors to the same house
    "graph": {"network", "chip", "memory", "isa", "rules", "tile"},  # models know no machine
    "onnx": {"network", "chip", "memory", "isa", "rules", "tile"},
}

# Headers of a library, and the folders whose sources may include them, or a header between sources of one family.
HEAVY = {
    "nlohmann/": {"report", "runtime", "train", "cli"},
    "google/protobuf/": {"onnx"},
    "onnx.pb.h": {"onnx"},
    "oneapi/": {"machine"},
    "dnnl": {"machine"},
    "toml++/": {"chip"},
    "CLI/": {"cli"},
    "stb/": {"runtime"},
    "zip.h": {"base"},
}
GENERATED = {"onnx.pb.h", "hadal.h"}  # hadal.h is in include/, for callers.
FILES = sorted(f for f in SOURCES.rglob("*") if f.suffix in {".h", ".cpp"})


def included(file):
    """(name, quoted) of each include line."""
    lines = re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', file.read_text(), re.MULTILINE)
    return [(name, mark == '"') for mark, name in lines]


def allowed(folder):
    return set(ORDER[: ORDER.index(folder) + 1]) - FORBIDDEN.get(folder, set())


@pytest.mark.parametrize("folder", ORDER)
def test_folders_include_only_those_before_them(folder):
    wrong = []
    for file in FILES:
        if file.relative_to(SOURCES).parts[0] == folder:
            for name, quoted in included(file):
                if quoted and name not in GENERATED and (name.split("/")[0] not in allowed(folder) or not (SOURCES / name).is_file()):
                    wrong.append(f"{file.relative_to(SOURCES)} includes {name}")
    assert not wrong, "\n".join(wrong)


def test_every_source_is_in_a_known_folder():
    assert {f.relative_to(SOURCES).parts[0] for f in FILES} <= set(ORDER)


def within_its_family(header):
    """Whether dnn_primitive.h, say, is included by dnn.cpp and dnn_*.cpp of its folder alone."""
    family = re.compile(re.escape(header.stem.split("_")[0]) + r"(_\w+)?\.cpp")
    name = str(header.relative_to(SOURCES))
    users = [f for f in FILES if (name, True) in included(f)]
    return all(f.parent == header.parent and family.fullmatch(f.name) for f in users)


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_headers_are_confined(library):
    wrong = []
    for file in FILES:
        folder = file.relative_to(SOURCES).parts[0]
        if any(name.startswith(library) for name, _ in included(file)):
            if folder not in HEAVY[library] or (file.suffix == ".h" and not within_its_family(file)):
                wrong.append(str(file.relative_to(SOURCES)))
    assert not wrong, f"{library} is included by {wrong}"


def test_machine_and_graph_never_meet():
    """Transitively: nothing that the machine reaches is the graph, ONNX or the compiler."""
    seen, todo = set(), [f for f in FILES if f.relative_to(SOURCES).parts[0] == "machine"]
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += [SOURCES / name for name, quoted in included(file) if quoted and (SOURCES / name).is_file()]
    reached = {f.relative_to(SOURCES).parts[0] for f in seen}
    assert not reached & {"graph", "onnx", "compile"}
