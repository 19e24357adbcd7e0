#include <memory>
#include <vector>

#include "isa/assembler.h"
#include "isa/crc32c.h"
#include "isa/disk.h"

namespace hadal::isa {

namespace {

Status hex_bytes(Cursor& c, uint64_t size, Bytes& bytes) {
  const std::string_view text = c.peek().text;
  if (c.peek().kind != Token::Kind::string || text.size() / 2 != size || text.size() % 2 != 0)
    return c.fail("asm.weight", fmt::format("expected {} bytes in quotes, two hexadecimal digits each", size));
  auto owned = std::make_shared<std::vector<std::byte>>();
  owned->reserve(size);
  const auto digit = [](char ch) {
    return ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return c.fail("asm.weight", "bytes are written in digits 0 to 9 and a to f");
    owned->push_back(static_cast<std::byte>(high * 16 + low));
  }
  c.step();
  bytes = {owned, *owned};
  return {};
}

}  // namespace

Result<Bytes> Assembler::weight_file(Cursor& c, uint64_t size) {
  const size_t start = c.mark();
  HADAL_TRY(const std::string name, c.name());
  HADAL_TRY(const uint64_t offset, c.natural());
  HADAL_CHECK(c.expect("crc32c"));
  HADAL_TRY(const uint64_t checksum, c.natural());
  const size_t end = c.mark();
  c.back(start);
  auto found = files_.find(name);
  if (found == files_.end()) {
    auto mapped = map_file(std::filesystem::path(name).is_absolute() ? std::filesystem::path(name) : folder_ / name);
    if (!mapped) return c.fail("asm.weight", fmt::format("{}: {}", mapped.error().place, mapped.error().message));
    found = files_.emplace(name, std::move(mapped).value()).first;
  }
  const auto view = found->second.view;
  if (offset > view.size() || size > view.size() - offset)
    return c.fail("asm.weight", fmt::format("the file has {} bytes; the weight ends behind them", view.size()));
  const auto bytes = view.subspan(offset, size);
  if (crc32c(bytes) != checksum)
    return c.fail("asm.weight", "the bytes in the file have another checksum: they are not this weight's");
  c.back(end);
  return Bytes{found->second.owner, bytes};
}

Status Assembler::weight(Cursor& c) {
  WeightEntry w;
  HADAL_TRY(w.name, c.name());
  HADAL_TRY(w.size, c.natural());
  HADAL_CHECK(c.expect("at"));
  HADAL_TRY(w.offset, c.natural());
  if (c.accept("hex")) {
    HADAL_CHECK(hex_bytes(c, w.size, w.bytes));
  } else if (c.accept("file")) {
    HADAL_TRY(w.bytes, weight_file(c, w.size));
  } else if (!c.accept("absent") && !c.accept("empty")) {
    return c.expected("hex, file, absent or empty");
  }
  program_.weights.push_back(std::move(w));
  return {};
}

/// Its number of bytes follows from type and shape.
Status Assembler::fixed(Cursor& c) {
  FixedInput input;
  HADAL_TRY(input.name, c.name());
  HADAL_TRY(input.dtype, dtype(c));
  HADAL_CHECK(shape(c, input.shape));
  const int64_t size = checked_bytes(input.shape, bytes_of(input.dtype));
  if (size < 0) return c.fail("asm.range", "the shape is too large");
  HADAL_CHECK(c.expect("hex"));
  Bytes bytes;
  HADAL_CHECK(hex_bytes(c, static_cast<uint64_t>(size), bytes));
  for (const std::byte byte : bytes.view) input.bytes.push_back(static_cast<uint8_t>(byte));
  program_.fixed.push_back(std::move(input));
  return {};
}

}  // namespace hadal::isa
