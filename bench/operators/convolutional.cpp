// Convolutions and ResNet. Pictures are [N, H, W, C] outside; the ops of the graph take [N, C, H, W], a view of that.
#include "bench/operators/models.h"
#include "graph/ops.h"

namespace hadal::bench {

namespace ops = graph::ops;
using graph::ValueId;

namespace {

ValueId channels_first(Net& net, ValueId x) {
  return net.add(ops::transpose, {x}, {{"order", std::vector<int64_t>{0, 3, 1, 2}}});
}

ValueId channels_last(Net& net, ValueId x) {
  return net.add(ops::transpose, {x}, {{"order", std::vector<int64_t>{0, 2, 3, 1}}});
}

ValueId convolved(Net& net, ValueId x, int64_t features, int64_t kernel, int64_t stride, int64_t pad) {
  const int64_t channels = net.shape(x)[1];
  return net.add(ops::conv, {x, net.weight({features, channels, kernel, kernel})},
                 {{"strides", std::vector<int64_t>{stride, stride}},
                  {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                  {"dilations", std::vector<int64_t>{1, 1}},
                  {"groups", int64_t{1}}});
}

/// Batch norm as its scale and offset, a channel each.
ValueId scaled(Net& net, ValueId x) {
  const int64_t channels = net.shape(x)[1];
  return net.add(ops::add, {net.add(ops::mul, {x, net.weight({channels, 1, 1})}), net.weight({channels, 1, 1})});
}

ValueId layer(Net& net, ValueId x, int64_t features, int64_t kernel, int64_t stride) {
  return net.add(ops::relu, {scaled(net, convolved(net, x, features, kernel, stride, kernel / 2))});
}

/// A residual block of `features` channels inside: two convolutions of 3x3, or three of 1x1, 3x3 and 1x1.
ValueId block(Net& net, ValueId x, int64_t features, int64_t stride, bool bottleneck) {
  const int64_t out = bottleneck ? 4 * features : features;
  ValueId y = 0;
  if (bottleneck) {
    y = layer(net, layer(net, x, features, 1, 1), features, 3, stride);
    y = scaled(net, convolved(net, y, out, 1, 1, 0));
  } else {
    y = scaled(net, convolved(net, layer(net, x, features, 3, stride), out, 3, 1, 1));
  }
  const bool same = stride == 1 && net.shape(x)[1] == out;
  const ValueId shortcut = same ? x : scaled(net, convolved(net, x, out, 1, stride, 0));
  return net.add(ops::relu, {net.add(ops::add, {y, shortcut})});
}

}  // namespace

Result<graph::Graph> convolution(DType type, const Convolution& shape) {
  Net net(type);
  const ValueId x = channels_first(net, net.input({shape.images, shape.height, shape.width, shape.channels}));
  const ValueId y = convolved(net, x, shape.features, shape.kernel, shape.stride, shape.pad);
  return net.finish("convolution", channels_last(net, y));
}

Result<graph::Graph> resnet(DType type, int layers) {
  const bool deep = layers >= 50;
  const std::vector<int64_t> blocks = deep ? std::vector<int64_t>{3, 4, 6, 3} : std::vector<int64_t>{2, 2, 2, 2};
  Net net(type);
  ValueId x = layer(net, channels_first(net, net.input({1, 224, 224, 3})), 64, 7, 2);
  x = net.add(ops::pool, {x},
              {{"kind", "max"},
               {"kernel", std::vector<int64_t>{3, 3}},
               {"strides", std::vector<int64_t>{2, 2}},
               {"pads", std::vector<int64_t>{1, 1, 1, 1}},
               {"dilations", std::vector<int64_t>{1, 1}}});
  for (size_t stage = 0; stage < blocks.size(); ++stage)
    for (int64_t i = 0; i < blocks[stage]; ++i)
      x = block(net, x, int64_t{64} << stage, stage > 0 && i == 0 ? 2 : 1, deep);
  x = net.add(ops::reduce, {x}, {{"kind", "mean"}, {"axes", std::vector<int64_t>{2, 3}}, {"keep", int64_t{0}}});
  return net.finish(fmt::format("resnet{}", layers), net.linear(x, net.shape(x)[1], 1000, true));
}

}  // namespace hadal::bench
