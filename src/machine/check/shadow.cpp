#include "machine/check/shadow.h"

#include <algorithm>

#include "isa/table.h"

namespace hadal::machine::check {

namespace {

bool is_transfer(isa::Queue queue) { return queue != isa::Queue::matrix && queue != isa::Queue::vector; }

}  // namespace

Shadow::Shadow(const isa::Program& program, const Trace& trace, const Order& order, const Cells& cells, size_t most)
    : program_(program), trace_(trace), order_(order), map_(cells), most_(most), cells_(cells.size()) {}

std::vector<uint32_t> Shadow::steps_of(uint32_t readers) const {
  if (readers == 0) return {};
  if ((readers & several) != 0) return readers_[readers & ~several];
  return {readers};
}

/// The readers that a step joins: those who have ended when it begins need not be remembered, as whoever follows it
/// follows them.
uint32_t Shadow::with_reader(uint32_t readers, uint32_t step) {
  std::vector<uint32_t> steps = steps_of(readers);
  std::erase_if(steps, [&](uint32_t reader) { return reader == step + 1 || order_.before(reader - 1, step); });
  if (steps.empty()) return step + 1;
  steps.push_back(step + 1);
  readers_.push_back(std::move(steps));
  return several | static_cast<uint32_t>(readers_.size() - 1);
}

/// Sets the memo: what a step meets in a cell, and what it leaves there.
void Shadow::judge(uint32_t step, bool written, const Cell& cell) {
  memo_.before = cell;
  memo_.unordered.clear();
  memo_.unwritten = !written && cell.writer == 0 && !kept_;
  const auto meet = [&](uint32_t other) {
    if (other != 0 && other != step + 1 && !order_.before(other - 1, step)) memo_.unordered.push_back(other - 1);
  };
  meet(cell.writer);
  if (!written) {
    memo_.after = {cell.writer, with_reader(cell.reader, step)};
    return;
  }
  for (const uint32_t reader : steps_of(cell.reader)) meet(reader);
  memo_.after = {step + 1, 0};
}

void Shadow::touch(uint32_t step, const Access& access) {
  memo_.before = {UINT32_MAX, UINT32_MAX};
  kept_ = access.box->space == isa::Space::hbm && program_.keeps(access.box->region);
  const size_t core = trace_.steps[step].core;
  access.runs.each([&](int64_t begin) {
    const Cells::Range range = map_.of(access, core, begin);
    for (size_t i = range.begin; i < range.end; ++i) {
      Cell& cell = cells_[i];
      if (cell.writer != memo_.before.writer || cell.reader != memo_.before.reader) {
        judge(step, access.written, cell);
        if (memo_.unwritten || !memo_.unordered.empty()) {
          size_t end = i + 1;
          while (end < range.end && cells_[end].writer == cell.writer && cells_[end].reader == cell.reader) ++end;
          report(step, access, {i, end});
        }
      }
      cell = memo_.after;
    }
  });
}

void Shadow::report(uint32_t step, const Access& access, Cells::Range range) {
  const std::string bytes =
      fmt::format("{} ({})", map_.text(access, range), printable(program_.tensors[access.box->tensor].name));
  if (memo_.unwritten)
    add({"race.R2", fmt::format("`{}` reads {}, which nothing has written", name(step), bytes), {site(step)}},
        site(step).instruction);
  const Cell& cell = memo_.before;
  for (const uint32_t other : memo_.unordered) {
    const bool writes = other + 1 == cell.writer;
    const isa::Queue queue = program_.code[trace_.steps[other].instruction].queue;
    const char* rule = access.written && is_transfer(queue) ? "race.R3" : "race.R1";
    add({rule,
         fmt::format("`{}` {} {}, which `{}` {}; nothing orders them", name(step), access.written ? "writes" : "reads",
                     bytes, name(other), writes ? "writes" : "reads"),
         {site(step), site(other)}},
        site(other).instruction);
  }
}

void Shadow::read_outputs() {
  for (const isa::Port& port : program_.outputs) {
    const int64_t bytes = elements(port.shape) * bytes_of(port.stored);
    if (bytes == 0 || program_.keeps(port.region)) continue;
    const Cells::Range range = map_.of_region(port.region, bytes);
    const auto begin = cells_.begin() + static_cast<std::ptrdiff_t>(range.begin);
    const auto end = cells_.begin() + static_cast<std::ptrdiff_t>(range.end);
    const auto gap = std::find_if(begin, end, [](const Cell& cell) { return cell.writer == 0; });
    if (gap == end) continue;
    const int64_t at = (gap - begin) * (bytes / (end - begin));
    findings_.push_back(
        {"race.R2",
         fmt::format("the host reads byte {} of output {}, which nothing has written", at, printable(port.name)),
         {}});
  }
}

void Shadow::add(Finding finding, uint32_t with) {
  const auto [at, added] =
      known_.try_emplace({finding.rule, finding.sites.front().instruction, with}, findings_.size());
  if (!added)
    ++findings_[at->second].times;
  else if (findings_.size() < most_)
    findings_.push_back(std::move(finding));
  else
    known_.erase(at);
}

Site Shadow::site(uint32_t step) const { return {trace_.steps[step].core, trace_.steps[step].instruction}; }

std::string Shadow::name(uint32_t step) const {
  return std::string(isa::row_of(program_.code[trace_.steps[step].instruction].op)->name);
}

}  // namespace hadal::machine::check
