// Array files: bytes, and headers that keep their length field true.
#include "base/npy.h"
#include "fuzz/campaign.h"

namespace hadal::fuzz {
namespace {

std::string seed(Random& random) {
  const DType type = random.pick({DType::f32, DType::f64, DType::f16, DType::i8, DType::u16, DType::i32, DType::i64,
                                  DType::u64, DType::boolean, DType::bf16});
  Shape shape;
  for (size_t rank = random.below(5); rank > 0; --rank) shape.push_back(random.between(0, 4));
  std::byte* data = nullptr;
  return npy_of(Tensor::zeros(type, shape, data));
}

/// Changes one part of the header's text and makes its length true again.
std::string with_header(std::string file, Random& random) {
  const size_t end = file.find('\n');
  std::string header = file.substr(10, end - 10), data = file.substr(end + 1);
  const auto change = [&](const std::string& from, const std::string& to) {
    if (const size_t at = header.find(from); at != std::string::npos) header.replace(at, from.size(), to);
  };
  switch (random.below(7)) {
    case 0:
      change("'<", random.pick<std::string>({"'>", "'|", "'=", "'", "'<<"}));
      break;
    case 1:
      change("False", random.pick<std::string>({"True", "None", "0", "false", ""}));
      break;
    case 2:
      change("(", fmt::format("({}, ", edgy(random)));
      break;
    case 3:
      change("4", random.pick<std::string>({"8", "2", "1", "0", "16", "99999999999999999999"}));
      break;
    case 4:
      change("f", random.pick<std::string>({"O", "U", "S", "V", "c", "M", "i", "u", "b"}));
      break;
    case 5:
      change("}", ", 'shape': (1,)}");
      break;
    default:
      header = edited(header, random);
  }
  const bool wide = random.one_in(3);
  const uint64_t size = header.size() + 1;
  std::string out = "\x93NUMPY" + std::string{wide ? '\2' : '\1', '\0'};
  for (size_t i = 0; i < (wide ? 4u : 2u); ++i) out += static_cast<char>(size >> (8 * i));
  return out + header + "\n" + data;
}

TEST(FuzzNpy, ArraysAreReadOrRefused) {
  Campaign campaign("npy", 2000);
  campaign.run([&](Random& random) -> Status {
    const bool header = random.one_in(2);
    campaign.kind(header ? "headers with true lengths" : "bytes");
    const std::string file = header ? with_header(seed(random), random) : edited(seed(random), random);
    HADAL_TRY(const Tensor tensor, parse_npy(std::as_bytes(std::span(file)), "array.npy"));
    campaign.reached("read");
    EXPECT_EQ(checked_bytes(tensor.shape, bytes_of(tensor.dtype)), static_cast<int64_t>(tensor.bytes.view.size()));
    for (int64_t i = 0; i < tensor.size(); ++i) (void)number_at(tensor, i);
    return {};
  });
}

}  // namespace
}  // namespace hadal::fuzz
