"""Random graphs give what ONNX's reference evaluator gives; bench/graph_fuzz runs many more."""

import concurrent.futures
import os

import graph_cases
import graph_nodes
import graph_shrink
import numpy
import onnx_cases


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
