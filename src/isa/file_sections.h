// Internal to file_*.cpp: the layout of every section, written once and used for both directions.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "isa/file.h"

namespace hadal::isa {

/// One entry of the `weights` section.
struct StoredWeight {
  std::string name;
  uint64_t offset = 0, size = 0;
  bool present = false;
  uint64_t data = 0;  ///< Byte of weight_data.
};

/// Gives strings their numbers, in order of first use.
class StringPool {
 public:
  uint32_t number(const std::string& text) {
    const auto [at, added] = numbers_.try_emplace(text, static_cast<uint32_t>(strings_.size()));
    if (added) strings_.push_back(&at->first);
    return at->second;
  }
  [[nodiscard]] const std::vector<const std::string*>& strings() const { return strings_; }

 private:
  std::map<std::string, uint32_t> numbers_;
  std::vector<const std::string*> strings_;
};

/// Appends values to a section's bytes, little endian.
class Put {
 public:
  explicit Put(StringPool& pool) : pool_(&pool) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  void number(const T& value) {
    static_assert(std::endian::native == std::endian::little);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  template <class E>
  void kind(const E& value, size_t) {
    number(static_cast<uint8_t>(value));
  }
  void text(const std::string& value) { number(pool_->number(value)); }
  void zeros(size_t count) { bytes.append(count, '\0'); }
  /// Whether a list that may be left out at a section's end is there.
  static bool goes_on(bool wanted) { return wanted; }
  template <class T, class F>
  void list(std::vector<T>& values, size_t, F layout) {
    number(static_cast<uint32_t>(values.size()));
    for (T& value : values) layout(*this, value);
  }

  std::string bytes;

 private:
  StringPool* pool_;
};

/// Reads values from a section's bytes. After the first fault it gives zeros, and `fault` tells what and where.
class Get {
 public:
  Get(std::span<const std::byte> bytes, std::span<const std::string_view> strings, uint64_t& text_left)
      : bytes_(bytes), strings_(strings), text_left_(&text_left) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  void number(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      uint8_t byte = 0;
      number(byte);
      if (byte > 1) fail("a truth value is neither 0 nor 1");
      value = byte == 1;
    } else {
      value = T{};
      if (bytes_.size() - at_ < sizeof(T)) return fail("the section ends early");
      std::memcpy(&value, bytes_.data() + at_, sizeof(T));
      at_ += sizeof(T);
    }
  }
  template <class E>
  void kind(E& value, size_t limit) {
    uint8_t byte = 0;
    number(byte);
    if (byte >= limit) fail(fmt::format("{} is not below {}", byte, limit));
    value = static_cast<E>(byte < limit ? byte : 0);
  }
  void text(std::string& value) {
    uint32_t index = 0;
    number(index);
    if (index >= strings_.size()) return fail(fmt::format("string {} does not exist", index));
    // Names may be shared in the file, but not here: a bound keeps a small file from filling memory.
    if (strings_[index].size() > *text_left_) return fail("the names are too long in all");
    *text_left_ -= strings_[index].size();
    value = strings_[index];
  }
  void zeros(size_t count) {
    for (; count > 0; --count) {
      uint8_t byte = 0;
      number(byte);
      if (byte != 0) fail("unused bytes are set");
    }
  }
  template <class T, class F>
  void list(std::vector<T>& values, size_t least_bytes, F layout) {
    uint32_t count = 0;
    number(count);
    if (count > (bytes_.size() - at_) / least_bytes)
      return fail(fmt::format("{} records do not fit the section", count));
    values.resize(count);
    for (size_t i = 0; i < values.size() && fault.empty(); ++i) layout(*this, values[i]);
  }
  [[nodiscard]] bool goes_on(bool) const { return at_ < bytes_.size(); }
  /// To be called last: nothing may follow.
  void end() {
    if (fault.empty() && at_ != bytes_.size()) fail("bytes follow the last record");
  }

  std::string fault;
  size_t fault_at = 0;

 private:
  void fail(std::string message) {
    if (!fault.empty()) return;
    fault = std::move(message);
    fault_at = at_;
    at_ = bytes_.size();
  }

  std::span<const std::byte> bytes_;
  std::span<const std::string_view> strings_;
  uint64_t* text_left_;
  size_t at_ = 0;
};

// The layouts. `least` is the fewest bytes of a record.

template <class A>
void layout(A& a, Parameter& p) {
  a.text(p.name);
  a.number(p.destination);
  a.number(p.minimum);
  a.number(p.maximum);
}

template <class A>
void layout(A& a, Region& r) {
  a.text(r.name);
  a.kind(r.kind, 5);
  a.number(r.bytes);
  a.number(r.page_bytes);
}

template <class A>
void layout(A& a, TensorDescriptor& t) {
  a.text(t.name);
  a.kind(t.space, 3);
  a.number(t.region);
  a.kind(t.dtype, dtype_count);
  a.number(t.rank);
  for (auto& extent : t.extents) a.number(extent);
  for (auto& stride : t.strides) a.number(stride);
  a.number(t.offset);
  a.number(t.bytes);
}

template <class A>
void layout(A& a, View& v) {
  a.number(v.tensor);
  a.number(v.rank);
  a.number(v.ring_register);
  a.number(v.ring_shift);
  a.number(v.slots);
  a.number(v.slot_bytes);
  for (Origin& o : v.origins) {
    a.number(o.base);
    a.number(o.scale_a);
    a.number(o.scale_b);
  }
  for (Origin& o : v.origins) {
    a.number(o.register_a);
    a.number(o.register_b);
  }
  for (Extent& e : v.extents) a.number(e.size);
  for (Extent& e : v.extents) a.number(e.source);
  a.zeros(2);
}

/// A view's bytes in the file: equal views, equal bytes.
inline std::string bytes_of(View view) {
  StringPool unused;
  Put put(unused);
  layout(put, view);
  return std::move(put.bytes);
}

template <class A>
void layout(A& a, Chain& c) {
  a.kind(c.compute, dtype_count);
  a.number(c.inputs);
  a.list(c.steps, 12, [](A& b, ChainStep& s) {
    b.number(s.op);
    for (auto& operand : s.operands) b.number(operand);
    b.number(s.alpha);
    b.number(s.beta);
  });
}

template <class A>
void layout(A& a, ResampleTable& t) {
  a.text(t.name);
  a.number(t.taps);
  a.list(t.indices, 4, [](A& b, int32_t& i) { b.number(i); });
  a.list(t.weights, 4, [](A& b, float& w) { b.number(w); });
}

template <class A>
void layout(A& a, Semaphore& s) {
  a.text(s.name);
  a.number(s.initial);
  a.kind(s.waiter, queue_count);
}

template <class A>
void layout(A& a, Layer& l) {
  a.text(l.name);
  a.text(l.op);
  a.list(l.nodes, 4, [](A& b, std::string& node) { b.text(node); });
  a.number(l.macs);
  a.number(l.compulsory_bytes);
  a.kind(l.precision, dtype_count);
}

inline constexpr uint8_t no_axis = 255;

template <class A>
void layout(A& a, Port& p) {
  a.text(p.name);
  a.kind(p.dtype, dtype_count);
  a.kind(p.stored, dtype_count);
  a.list(p.shape, 8, [](A& b, int64_t& extent) { b.number(extent); });
  a.number(p.region);
  Count count = p.count.value_or(Count{no_axis, 0});
  a.number(count.axis);
  a.number(count.region);
  p.count = count.axis == no_axis ? std::nullopt : std::optional(count);
}

template <class A>
void layout(A& a, FixedInput& f) {
  a.text(f.name);
  a.kind(f.dtype, dtype_count);
  a.list(f.shape, 8, [](A& b, int64_t& extent) { b.number(extent); });
  a.list(f.bytes, 1, [](A& b, uint8_t& byte) { b.number(byte); });
}

template <class A>
void layout(A& a, State& s) {
  a.number(s.input);
  a.number(s.output);
}

template <class A>
void layout(A& a, StoredWeight& w) {
  a.text(w.name);
  a.number(w.offset);
  a.number(w.size);
  a.number(w.present);
  a.number(w.data);
}

template <class A>
void layout(A& a, Limits& l) {
  a.number(l.cores);
  a.number(l.scratchpad_bytes);
  a.number(l.shared_bytes_per_core);
  a.number(l.accumulator_bytes);
  a.number(l.memory_bytes);
  a.number(l.vector_unit);
  a.list(l.matrix_types, 1, [](A& b, DType& type) { b.kind(type, dtype_count); });
}

/// Everything but strings, code and weight data.
template <class A>
void layout(A& a, Section section, Program& p, std::vector<StoredWeight>& weights) {
  const auto record = [](A& b, auto& value) { layout(b, value); };
  switch (section) {
    case Section::model:
      a.text(p.model);
      a.text(p.chip);
      return a.text(p.precision);
    case Section::limits:
      return layout(a, p.limits);
    case Section::parameters:
      return a.list(p.parameters, 21, record);
    case Section::regions:
      return a.list(p.regions, 21, record);
    case Section::tensors:
      return a.list(p.tensors, 97, record);
    case Section::views:
      return a.list(p.views, 128, record);
    case Section::chains:
      return a.list(p.chains, 6, record);
    case Section::tables:
      return a.list(p.tables, 16, record);
    case Section::functions:
      return a.list(p.functions, 4, [](A& b, std::string& name) { b.text(name); });
    case Section::semaphore_list:
      return a.list(p.semaphores, 9, record);
    case Section::source:
      a.list(p.source, 4, [](A& b, uint32_t& layer) { b.number(layer); });
      if (a.goes_on(!p.lines.empty())) a.list(p.lines, 4, [](A& b, std::string& line) { b.text(line); });
      return;
    case Section::layers:
      return a.list(p.layers, 29, record);
    case Section::ports:
      a.list(p.inputs, 12, record);
      a.list(p.outputs, 12, record);
      if (a.goes_on(!p.fixed.empty() || !p.states.empty())) a.list(p.fixed, 13, record);
      if (a.goes_on(!p.states.empty())) a.list(p.states, 4, record);
      return;
    case Section::weights:
      return a.list(weights, 29, record);
    case Section::strings:
    case Section::code:
    case Section::weight_data:
      return;
  }
}

/// Fixed parts of the file. All numbers little endian.
struct FileHeader {
  char magic[8];
  uint16_t major, minor;
  uint32_t section_count;
  uint64_t file_bytes;
  uint32_t zero;
  uint32_t checksum;  ///< Of this header, with 0 here, and the section table.
};
struct SectionEntry {
  uint32_t kind, checksum;
  uint64_t offset, length;
  uint64_t zero;
};
static_assert(sizeof(FileHeader) == 32 && sizeof(SectionEntry) == 32);

inline constexpr uint64_t section_alignment = 16, weight_alignment = 64, weight_data_alignment = 4096;
constexpr uint64_t round_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

}  // namespace hadal::isa
