"""Random graphs give what ONNX's reference evaluator gives; bench/graph_fuzz runs many more."""

import concurrent.futures
import os

import graph_cases
import graph_nodes
import graph_shrink
import numpy
import onnx_cases
import pytest


def test_random_graphs_have_the_values_of_the_reference(hadal):
    runner = onnx_cases.Runner(hadal.binary)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        trials = list(pool.map(lambda seed: graph_nodes.trial(runner, seed, 12), range(100)))
    bad = [f"seed {seed}: {result.reason}" for seed, (_, result) in enumerate(trials) if result.status != "passed"]
    assert not bad, "\n".join(bad)
    kinds = {node.proto.op_type for graph, _ in trials for node in graph.nodes}
    assert len(kinds) > 70, sorted(kinds)


def test_a_graph_is_a_function_of_its_seed():
    first, second = (graph_nodes.random_graph(7, 12).case() for _ in range(2))
    assert first.model.SerializeToString() == second.model.SerializeToString()


def test_faults_are_found_and_made_small(hadal):
    """One wrong element behind other nodes: what is left is the node that gives it."""
    graph = graph_cases.Graph(0)
    x = graph.input()
    graph.node("Relu", [x])
    graph.node("Add", [graph.values[-1], graph.numbers([1])])
    wrong = graph.values[-1]
    wrong.array = wrong.array + numpy.float32(1)
    graph.node("Sigmoid", [x])
    runner = onnx_cases.Runner(hadal.binary)
    result = runner.run(graph.case())
    assert result.status == "failed"
    case, result = graph_shrink.shrunk(runner, graph, result)
    assert [node.op_type for node in case.model.graph.node] == ["Add"]
    assert "differ" in result.reason


def repeated_rows(g):
    """Work on rows that are all the same memory."""
    x = g.new(g.numbers([1, 5]), True)
    g.node("Expand", [x, numpy.array([4, 5])])
    rows = g.values[-1]
    g.node("LogSoftmax", [rows], axis=0)
    g.node("LayerNormalization", [rows, g.numbers([5])], axis=1, epsilon=0.1)
    g.node("ReduceMean", [rows, numpy.array([0, 1])], keepdims=0)
    g.node("CumSum", [rows, numpy.array(0)])
    g.node("TopK", [rows, numpy.array([2])], outputs=2, axis=0)


def steps_of_one(g):
    """A slice of one element takes no step."""
    x = g.new(g.numbers([1]), True)
    g.node("Slice", [x, *(numpy.array([bound]) for bound in (0, 1, 0, 2))])
    g.node("CumSum", [g.values[-1], numpy.array(0)], reverse=1)


def products_with_themselves(g):
    """Matrices that are looked up, and read by both sides of a product."""
    x = g.new(g.numbers([9, 3, 4]), True)
    g.node("Gather", [x, numpy.array([7, 0, 4])], axis=0)
    g.node("Transpose", [g.values[-1]], perm=[0, 2, 1])
    g.node("MatMul", [g.values[-2], g.values[-1]])


@pytest.mark.parametrize("build", [repeated_rows, steps_of_one, products_with_themselves])
def test_what_random_graphs_have_found_stays_mended(hadal, build):
    graph = graph_cases.Graph(0)
    build(graph)
    result = onnx_cases.Runner(hadal.binary).run(graph.case())
    assert result.status == "passed", result.reason
