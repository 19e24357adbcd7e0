// The table of a profile's fields: reading, checking and documenting are loops over it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/units.h"
#include "compile/profile.h"

namespace hadal::compile {

using ProfileAccess =
    std::variant<int64_t& (*)(Profile&), double& (*)(Profile&), bool& (*)(Profile&), std::string& (*)(Profile&),
                 std::vector<Block>& (*)(Profile&), std::vector<int64_t>& (*)(Profile&)>;

struct ProfileField {
  std::string_view name;  ///< "matmul.chunk": table and key of the file.
  ProfileAccess access;
  Unit unit = Unit::number;
  double low = 0, high = 0;  ///< Range in the base unit, ends included; of lists, of each number.
  std::string_view meaning;
  bool needed = false;
  std::string_view words = {};  ///< Of a text: what it may be, separated by spaces; empty for free text.
};
std::span<const ProfileField> profile_fields();

}  // namespace hadal::compile
