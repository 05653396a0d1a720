#pragma once
#include <string>
#include <vector>

namespace inferometer {

/// What a source prints: one figure, or the range that several of its rows span.
struct Published {
  double low = 0, high = 0;

  /// Of a prediction, relative to the figure; 0 within a range, else from its nearer end.
  double error(double predicted) const {
    if (predicted < low) return predicted / low - 1;
    return predicted > high ? predicted / high - 1 : 0;
  }
};

/// A row of a published table beside its prediction.
struct PaperRow {
  std::string label, unit;
  Published published;
  double predicted = 0;  ///< in the same unit
  bool scored = true;    ///< whether it counts in the summary; otherwise `note` says why not
  std::string note;

  double error() const { return published.error(predicted); }
};

/// A published table, predicted.
struct Paper {
  std::string name;
  std::string source;    ///< paper or page, table, address
  std::string settings;  ///< under which it was measured, and what had to be assumed
  std::string device;
  std::vector<PaperRow> rows;
  std::vector<std::string> fitted;  ///< what was fitted to which of its cells
};

}  // namespace inferometer
