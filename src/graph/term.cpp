#include "graph/term.h"

namespace hadal::graph {

Term Op::operator()(const Term& a) const { return a.apply(*this); }
Term Op::operator()(const Term& a, const Term& b) const { return a.apply(*this, b); }
Term Op::operator()(const Term& a, const Term& b, const Term& c) const {
  return a.with(a.b().make(*this, {a.id, b.id, c.id}));
}

}  // namespace hadal::graph
