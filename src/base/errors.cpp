#include "base/errors.h"

namespace hadal {

Error together(const std::vector<Error>& errors) {
  Error out = errors.front();
  if (errors.size() > 1) out.remedy += fmt::format("{}{} more:", out.remedy.empty() ? "" : "\n  ", errors.size() - 1);
  for (size_t i = 1; i < errors.size(); ++i)
    out.remedy += fmt::format("\n  [{}] {}: {}", errors[i].code, errors[i].place, errors[i].message);
  return out;
}

}  // namespace hadal
