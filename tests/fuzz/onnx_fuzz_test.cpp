// Models: bytes of real ones, fields of real ones, and chains of nodes made up from the table of importers.
#include "fuzz/models.h"
#include "fuzz/stages.h"

namespace hadal::fuzz {
namespace {

class Models {
 public:
  explicit Models(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      bytes_.push_back(get_file(std::filesystem::path(HADAL_SOURCE_DIR) / "models" / (name + ".onnx")));
      EXPECT_TRUE(parsed_.emplace_back().ParseFromString(bytes_.back())) << name;
    }
  }
  [[nodiscard]] std::string with_bytes(Random& random) const { return edited(random.pick(bytes_), random); }
  [[nodiscard]] std::string with_fields(Random& random) const {
    ::onnx::ModelProto model = random.pick(parsed_);
    edit_fields(model, random);
    return model.SerializeAsString();
  }

 private:
  std::vector<std::string> bytes_;
  std::vector<::onnx::ModelProto> parsed_;
};

const chip::Chip& any_chip(Random& random) {
  return shipped(random.pick<std::string>({"hadal-edge", "hadal-edge", "hadal-edge", "hadal-1", "tpu-v3", "gemmini"}));
}

Status run_bytes(Campaign& campaign, const std::string& bytes, Random& random) {
  const std::filesystem::path file = campaign.folder() / "model.onnx";
  put_file(file, bytes);
  return run_model(campaign, file, any_chip(random));
}

void run_real(const std::string& name, size_t inputs, const std::vector<std::string>& models) {
  Campaign campaign(name, inputs);
  const Models seeds(models);
  campaign.run([&](Random& random) -> Status {
    const bool fields = !random.one_in(4);
    campaign.kind(fields ? "fields" : "bytes");
    return run_bytes(campaign, fields ? seeds.with_fields(random) : seeds.with_bytes(random), random);
  });
}

TEST(FuzzOnnx, SmallModels) { run_real("models", 800, {"tiny_kws_f32", "tiny_sww_f32"}); }
TEST(FuzzOnnx, LargerModels) {
  run_real("larger-models", 200, {"tiny_resnet8_f32", "tiny_ad_f32", "cct2_32_opset20", "fastestdet"});
}

TEST(FuzzOnnx, MadeUpModels) {
  Campaign campaign("made-up-models", 2500);
  campaign.run([&](Random& random) -> Status {
    ::onnx::ModelProto model = random_model(random);
    const bool edit = random.one_in(4);
    campaign.kind(edit ? "made up and edited" : "made up");
    if (edit) edit_fields(model, random);
    return run_bytes(campaign, model.SerializeAsString(), random);
  });
}

}  // namespace
}  // namespace hadal::fuzz
