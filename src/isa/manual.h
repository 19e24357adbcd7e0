#pragma once

#include <string_view>

namespace hadal::isa {

/// The worked example of docs/isa.md: a legal program.
std::string_view manual_example();

}  // namespace hadal::isa
