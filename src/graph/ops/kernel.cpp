#include "graph/ops/kernel.h"

#include <sstream>

namespace hadal::graph {

Attributes kernel_attributes(int64_t number, const std::string& name, const std::vector<Type>& results) {
  std::string dtypes;
  std::vector<int64_t> ranks, extents;
  for (const Type& type : results) {
    dtypes += (dtypes.empty() ? "" : " ") + std::string(name_of(type.dtype));
    ranks.push_back(std::ssize(type.shape));
    extents.insert(extents.end(), type.shape.begin(), type.shape.end());
  }
  return {{"number", number},
          {"name", name},
          {"dtypes", std::move(dtypes)},
          {"ranks", std::move(ranks)},
          {"extents", std::move(extents)}};
}

namespace ops {

namespace {

/// The results are stated. Errors: kernel.C1.
Result<std::vector<Type>> infer(const std::vector<const Type*>& /*inputs*/, const Attributes& a) {
  std::istringstream dtypes(a.text("dtypes"));
  const std::vector<int64_t> extents = a.integers("extents");
  std::vector<Type> results;
  auto next = extents.begin();
  for (const int64_t rank : a.integers("ranks")) {
    std::string name;
    dtypes >> name;
    const std::optional<DType> dtype = dtype_named(name);
    if (!dtype || rank < 0 || extents.end() - next < rank)
      return Error{"kernel.C1", "the types and extents of a kernel's results are not as many as its ranks say"};
    results.push_back({*dtype, Shape(next, next + rank)});
    next += rank;
  }
  return results;
}

}  // namespace

const Op kernel{.name = "kernel",
                .summary = "What a kernel of the caller's computes.",
                .attributes = {"number", "name", "dtypes", "ranks", "extents"},
                .infer = infer,
                .reference = nullptr};

}  // namespace ops

}  // namespace hadal::graph
