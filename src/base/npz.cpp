#include "base/npz.h"

#include <zip.h>

#include <memory>

#include "base/files.h"
#include "base/npy.h"

namespace hadal {

namespace {

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

Error broken(const std::string& place, const std::string& why) {
  return Error{"npz.read", fmt::format("the archive cannot be read: {}", printable(why)), place,
               "save it with numpy.savez(FILE, NAME=array, ...)"};
}

/// One member, whose check sum is compared at its end.
Result<std::vector<std::byte>> member(zip_t* archive, zip_uint64_t index, uint64_t size, const std::string& place) {
  const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(archive, index, 0));
  if (!file) return broken(place, zip_strerror(archive));
  std::vector<std::byte> bytes(size);
  std::byte beyond{};
  if (zip_fread(file.get(), bytes.data(), size) != static_cast<zip_int64_t>(size) ||
      zip_fread(file.get(), &beyond, 1) != 0)
    return broken(place, zip_file_strerror(file.get()));
  return bytes;
}

}  // namespace

Result<std::map<std::string, Tensor>> read_npz(const std::filesystem::path& path, int64_t largest_bytes) {
  HADAL_TRY(const std::vector<std::byte> bytes, read_file(path, largest_bytes));
  const std::string place = printable(path.string());
  if (is_npy(bytes))
    return Error{"npz.read", "expected an archive of arrays (.npz), found one array (.npy)", place,
                 "save it with numpy.savez(FILE, NAME=array, ...)"};
  if (bytes.empty()) return broken(place, "the file is empty");
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  const std::unique_ptr<zip_t, CloseArchive> archive(source ? zip_open_from_source(source, ZIP_RDONLY, &error)
                                                            : nullptr);
  if (!archive) {
    const std::string why = zip_error_strerror(&error);
    zip_source_free(source);
    zip_error_fini(&error);
    return broken(place, why);
  }
  std::map<std::string, Tensor> out;
  int64_t room = largest_bytes;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    zip_stat_t status;
    if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), 0, &status) != 0 ||
        (status.valid & (ZIP_STAT_NAME | ZIP_STAT_SIZE)) != (ZIP_STAT_NAME | ZIP_STAT_SIZE))
      return broken(place, zip_strerror(archive.get()));
    std::string name = status.name;
    constexpr uint64_t most_dense = 1032;  // Deflate cannot hold more in a byte.
    if (!(status.valid & ZIP_STAT_COMP_SIZE) || status.size / most_dense > status.comp_size + 1)
      return broken(place, "a member is larger than its bytes can hold");
    const std::string within = fmt::format("{}: array \"{}\"", place, printable(name));
    if (status.size > static_cast<uint64_t>(room))
      return Error{"npz.size", fmt::format("the arrays pass the limit of {} bytes", largest_bytes), within};
    room -= static_cast<int64_t>(status.size);
    HADAL_TRY(const auto file, member(archive.get(), static_cast<zip_uint64_t>(i), status.size, within));
    HADAL_TRY(Tensor array, parse_npy(file, within));
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    if (!out.emplace(name, std::move(array)).second) return broken(within, "two arrays have this name");
  }
  return out;
}

}  // namespace hadal
