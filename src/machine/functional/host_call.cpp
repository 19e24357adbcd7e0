#include "machine/functional/host_call.h"

#include <array>
#include <utility>

#include "isa/fields.h"
#include "machine/functional/kernels.h"

namespace hadal::machine {

HostFunction host_function_named(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, HostFunction>, 1> functions{
      {{"non_max_suppression", non_max_suppression}}};
  for (const auto& [known, function] : functions)
    if (known == name) return function;
  return nullptr;
}

Status host_call(Call& call) {
  const std::string& name = call.program.functions[static_cast<size_t>(call.in.fields[isa::at::host_function].value)];
  const HostFunction function = host_function_named(name);
  if (!function) return call.fail("host_call.C1", fmt::format("the host has no function {}", printable(name)));
  return function(call);
}

}  // namespace hadal::machine
