#include "isa/sequencer.h"

#include <algorithm>

#include "isa/fields.h"

namespace hadal::isa {

namespace {

int64_t floor_div(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

int64_t floor_mod(int64_t a, int64_t b) {
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/// Wraps like hardware: bounds of the results are the verifier's matter.
int64_t wrapping(uint64_t value) { return static_cast<int64_t>(value); }
int64_t sum(int64_t a, int64_t b) { return wrapping(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
int64_t product(int64_t a, int64_t b) { return wrapping(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)); }

}  // namespace

Result<Walk> Walk::of(const Program& program) {
  Walk walk;
  walk.program_ = &program;
  walk.partner_.resize(program.code.size());
  std::vector<uint32_t> open;
  for (uint32_t i = 0; i < program.code.size(); ++i) {
    if (program.code[i].op == Opcode::loop) open.push_back(i);
    if (open.size() > loop_depth)
      return Error{"loop.C1", fmt::format("loops nest {} deep; the limit is {}", open.size(), loop_depth),
                   fmt::format("instruction {}", i)};
    if (program.code[i].op != Opcode::end) continue;
    if (open.empty()) return Error{"loop.C1", "`end` without a loop", fmt::format("instruction {}", i)};
    walk.partner_[i] = open.back();
    walk.partner_[open.back()] = i;
    open.pop_back();
  }
  if (!open.empty()) return Error{"loop.C1", "loop without an `end`", fmt::format("instruction {}", open.back())};
  if (program.code.empty() || program.code.back().op != Opcode::halt)
    return Error{"code.C1", "the code does not end in `halt`", fmt::format("instruction {}", program.code.size())};
  return walk;
}

Sequencer::Sequencer(const Walk& walk, int64_t core, int64_t cores) : walk_(&walk), program_(&walk.program()) {
  for (const Parameter& parameter : program_->parameters) {
    if (parameter.name == "core_id") registers_[parameter.destination] = core;
    if (parameter.name == "core_count") registers_[parameter.destination] = cores;
  }
}

void Sequencer::fail(const char* rule, std::string message) {
  const Layer* layer = at_ < program_->source.size() ? &program_->layers[program_->source[at_]] : nullptr;
  error_ = Error{rule, std::move(message),
                 fmt::format("instruction {}{}", at_, layer ? " of " + printable(layer->name) : "")};
}

void Sequencer::let(const Instruction& in) {
  const int64_t a = number(in.fields[at::let_a]), b = number(in.fields[at::let_b]);
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  int64_t value = 0;
  const int64_t op = in.fields[at::let_op].value;
  if ((op == 3 || op == 4 || op == 7) && (b == 0 || (b == -1 && a == INT64_MIN)))
    return fail("let.C1", "division by zero, or its result is too large");
  switch (op) {
    case 0:
      value = wrapping(ua + ub);
      break;
    case 1:
      value = wrapping(ua - ub);
      break;
    case 2:
      value = wrapping(ua * ub);
      break;
    case 3:
      value = floor_div(a, b);
      break;
    case 4:
      value = floor_mod(a, b);
      break;
    case 5:
      value = std::min(a, b);
      break;
    case 6:
      value = std::max(a, b);
      break;
    case 7:
      value = floor_div(a, b) + (a % b != 0 ? 1 : 0);
      break;
    case 8:
      value = a == b ? 1 : 0;
      break;
    default:
      value = a < b ? 1 : 0;
      break;
  }
  registers_[static_cast<size_t>(in.fields[at::let_target].value)] = value;
}

const Instruction* Sequencer::next() {
  lets_ = controls_ = 0;
  while (!error_) {
    at_ = pc_;
    const Instruction& in = program_->code[pc_];
    if (steps_left_-- == 0) {
      fail("run.budget", "more instructions than the budget allows");
      break;
    }
    switch (in.op) {
      case Opcode::halt:
        return nullptr;
      case Opcode::let:
        let(in);
        ++lets_;
        ++pc_;
        break;
      case Opcode::loop: {
        ++controls_;
        const int64_t count = number(in.fields[at::loop_count]);
        if (count > in.fields[at::loop_max].value) {
          fail("loop.C1", fmt::format("{} trips; the loop states at most {}", count, in.fields[at::loop_max].value));
          break;
        }
        if (count <= 0) {
          pc_ = walk_->partner(pc_) + 1;
          break;
        }
        const auto index = static_cast<uint8_t>(in.fields[at::loop_index].value);
        registers_[index] = 0;
        stack_[static_cast<size_t>(depth_++)] = {static_cast<uint32_t>(pc_ + 1), count, index};
        ++pc_;
        break;
      }
      case Opcode::end: {
        Frame& frame = stack_[static_cast<size_t>(depth_ - 1)];
        ++controls_;
        if (--frame.left > 0) {
          ++registers_[frame.index];
          pc_ = frame.body;
        } else {
          --depth_;
          ++pc_;
        }
        break;
      }
      default:
        ++pc_;
        return &in;
    }
  }
  return nullptr;
}

Box Sequencer::box(uint16_t number) const {
  const View& view = program_->views[number];
  const TensorDescriptor& tensor = program_->tensors[view.tensor];
  Box box;
  box.space = tensor.space;
  box.dtype = tensor.dtype;
  box.rank = view.rank;
  box.region = tensor.region;
  box.tensor = view.tensor;
  box.offset = static_cast<int64_t>(tensor.offset);
  for (size_t i = 0; i < view.rank; ++i) {
    const Extent& extent = view.extents[i];
    box.extents[i] =
        extent.source == no_register ? extent.size : std::clamp<int64_t>(registers_[extent.source], 0, extent.size);
    box.empty |= box.extents[i] == 0;
  }
  if (tensor.rank == 0) {  // A buffer of the scratchpad: dense, in a ring.
    int64_t stride = bytes_of(tensor.dtype);
    for (size_t i = view.rank; i-- > 0; stride = product(stride, box.extents[i])) box.strides[i] = stride;
    if (view.ring_register != no_register) {
      const int64_t slot = sum(registers_[view.ring_register], view.ring_shift);
      box.offset += floor_mod(slot, view.slots) * view.slot_bytes;
    }
    return box;
  }
  for (size_t i = 0; i < view.rank; ++i) {
    const Origin& origin = view.origins[i];
    int64_t at = origin.base;
    if (origin.register_a != no_register) at = sum(at, product(origin.scale_a, registers_[origin.register_a]));
    if (origin.register_b != no_register) at = sum(at, product(origin.scale_b, registers_[origin.register_b]));
    box.origins[i] = at;
    box.strides[i] = tensor.strides[i];
    box.offset = sum(box.offset, product(at, tensor.strides[i]));
  }
  return box;
}

}  // namespace hadal::isa
