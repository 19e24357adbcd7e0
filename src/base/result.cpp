#include "base/result.h"

namespace hadal {

namespace {

/// Length of the UTF-8 sequence that starts `text`, or 0 if it is broken.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80                      ? 1
                        : byte(0) >= 0xf0 && byte(0) < 0xf5 ? 4
                        : byte(0) >= 0xe0                   ? 3
                        : byte(0) >= 0xc2                   ? 2
                                                            : 0;
  if (length == 0 || length > text.size() || byte(0) >= 0xf5) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if (length == 2 && byte(0) == 0xc2 && byte(1) < 0xa0) return 0;  // C1 control characters
  return length;
}

}  // namespace

std::string printable(std::string_view text, size_t longest) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= longest) return out + "...";
    const unsigned char c = static_cast<unsigned char>(text[0]);
    const size_t length = utf8_length(text);
    if (length == 0 || c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

std::string Error::text() const {
  std::string out = fmt::format("error[{}]: {}", code, message);
  if (!place.empty()) out += fmt::format("\n  {}", place);
  if (!remedy.empty()) out += fmt::format("\n  {}", remedy);
  return out;
}

}  // namespace hadal
