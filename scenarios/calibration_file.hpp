#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "model/device.hpp"
#include "model/result.hpp"
#include "roofline/calibration.hpp"
#include "roofline/fitting/kernel_calibration.hpp"

namespace inferometer {

/// The version of the format that is written and read. 2: gaps apart at a library's kernels, `alone` of
/// residual layers, parameters of decode attention that tell how parts are joined. 3: decode attention of
/// heads of 64 apart, starts of its blocks that are hidden. 4: products of few rows by whole rows of W, gated
/// activations inside them. 5: int4 products of few rows up to 32, waves of decode attention that leave slots
/// free. 6: waves of as many blocks as run at once, whose starts hide where sequences differ. 7: products
/// with the gated activation of many tokens by models of their own. 8: long sequences have more parts than
/// short ones. 9: what blocks of decode attention leave unfilled, by each of them; octets of heads of 64
/// only.
inline constexpr std::int64_t calibration_format = 9;

/// Reads a calibration of kernels, as print_calibration() writes it. Residual layers are solved again from
/// their points: the same predictions.
///
/// errors  all at their places: what is missing, unknown, no number, outside the range of a parameter, of
///         operators and variants that no kernel has; text that its hash does not fit. Of another version of
///         the format that alone
[[nodiscard]] Result<KernelCalibration> read_calibration(const std::string& text,
                                                         const std::filesystem::path& file);

/// What a calibration's file knows, for predictions of `device`.   errors also: a file of another device
[[nodiscard]] Result<Calibration> load_calibration(const std::filesystem::path& file, const Device& device);

/// The text of a calibration: values with units, by operator and variant, and the points of residual layers,
/// one a line.
std::string print_calibration(const KernelCalibration& calibration);

/// The hash of a text as files state it: sixteen digits.
std::string content_hash(std::string_view text);

/// Where the text begins that a calibration's hash is of: behind the line that states it; 0 without such a
/// line.
std::size_t hashed_from(std::string_view text);

}  // namespace inferometer
