#pragma once
#include <string>
#include <vector>

#include "reports/explanation.hpp"
#include "reports/statistics.hpp"

namespace inferometer {

/// A table of a report, before it is HTML or Markdown.
struct Table {
  struct Column {
    std::string title;
    bool number = true;
  };
  struct Row {
    std::vector<std::string> cells;
    bool strong = false;  ///< a total
  };
  std::string caption;
  std::vector<Column> columns;
  std::vector<Row> rows;
};

/// Step times and effects of all variants.
Table results(const StudyResult& study, const Quality& quality);
/// Where a step's time goes, by operator.
Table step_table(const VariantResult& v, const PhaseResult& phase);
/// Why a variant's step takes another time than the baseline's.
Table difference_table(const VariantResult& baseline, const VariantResult& v, std::size_t phase);
Table memory_table(const StudyResult& study);
Table changed_settings(const StudyResult& study);
Table provenance_table(const StudyResult& study);
/// One or two sentences: how near, and in which direction.
std::string verdict(const Quality& quality);

}  // namespace inferometer
