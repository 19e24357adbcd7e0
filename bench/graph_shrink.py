"""Makes random graphs that go wrong smaller."""


def needed(nodes, wanted, fed):
    """Nodes that the wanted values need where some values are fed."""
    known, out = {value.name for value in fed}, []
    open_ = {value.name for value in wanted}
    for node in reversed(nodes):
        if open_ & {value.name for value in node.outputs}:
            out.insert(0, node)
            open_ |= {value.name for value in node.inputs} - known
    return out


def shrunk(runner, graph, result):
    """The same fault in a smaller case: for one output, and with values fed that nodes made before."""
    best = graph.case(), result

    def attempt(wanted, fed):
        nodes = needed(graph.nodes, wanted, fed)
        nonlocal best
        case = graph.case(nodes, wanted, fed)
        ended = runner.run(case)
        if ended.status != result.status:
            return False
        best = case, ended
        return True

    values = [value for node in graph.nodes for value in node.outputs]
    wanted = next(([value] for value in values if attempt([value], [])), None)
    if wanted is None:
        return best
    fed = []
    for value in values:
        if value is not wanted[0] and value.name in {name for node in best[0].model.graph.node for name in node.input}:
            if attempt(wanted, [*fed, value]):
                fed.append(value)
    return best
