#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "model/step.hpp"
#include "model/units.hpp"
#include "roofline/profiles/table.hpp"

namespace inferometer {

/// Times of the kernels of one layer of a network, as somebody measured them on one device.
struct ProfileTables {
  struct Layer {
    std::string_view name;  ///< of profile_layers
    double at = 0;          ///< tokens, or sequences
    Seconds time{0};
  };
  /// One prompt's chunk behind `kv_prefill` cached tokens, beside `decodes` sequences of `kv_decode` cached
  /// tokens each; either may be missing.
  struct Attention {
    double prefill_chunk = 0, kv_prefill = 0, decodes = 0, kv_decode = 0;
    Seconds time{0};
  };
  /// The same with decodes of unequal length, and what it takes with all of them of the mean and of the
  /// largest length.
  struct Skew {
    bool mixed = false;  ///< beside a prompt's chunk
    double decodes = 0;
    Seconds all_mean{0}, all_longest{0}, measured{0};
  };
  struct Experts {
    double tokens = 0, activated = 0;
    Seconds time{0};
  };
  /// What a profile says of its network, 0 where it does not; nothing is known of the rest.
  struct Network {
    std::int64_t hidden = 0, heads = 0, kv_heads = 0, intermediate = 0, vocab = 0;
    std::string dtype;   ///< that the network was multiplied in, as the profile calls it
    std::string device;  ///< likewise
  } network;
  std::vector<Layer> dense;         ///< by tokens of the step
  std::vector<Layer> per_sequence;  ///< by logit rows
  std::vector<Attention> attention;
  std::vector<Skew> skew;        ///< may be empty: unequal lengths then cost what equal ones do
  bool skew_applies = true;      ///< to the engine of the steps; if not they cost that as well
  std::vector<Experts> experts;  ///< of a layer of experts, where there are any
};

/// What a profile of one layer does not say of its network.
struct ProfiledNetwork {
  std::int64_t layers = 1;
  std::int64_t experts = 0, experts_per_token = 0;  ///< of each layer; 0: none
};

/// What the totals of a step do not give.
struct DecodeSpread {
  std::int64_t longest = 0;  ///< cached tokens of the longest sequence of one new token
};

/// Times of steps from a measured profile:
///   layers x (dense(tokens) + attention + experts) + what comes once, by tokens or by logit rows
/// Attention is read at the mean length of the decodes, and with the step's mean prompt; each further prompt
/// adds its own time less that of an empty launch. With unequal decodes it takes
///   t_mean + alpha (t_longest - t_mean)
/// with alpha of the same number of decodes, with or without a prompt, by least squares of relative errors
/// over the profile's skewed batches, where they apply. A profile without mixed batches has its prompts and
/// decodes summed. Experts that m tokens activate: E (1 - (1 - k/E)^m).
///
/// ignores  gaps between kernels, the host, communication
/// source   LLMServingSim 2.0 (casys-kaist) for the tables and for alpha; Vidur (arXiv 2405.05465) for the
/// sum
class LayerProfile {
 public:
  /// requires  names of profile_layers, and experts in the network where the profile has any
  LayerProfile(const ProfileTables& tables, const ProfiledNetwork& network);

  /// padded_tokens  that the dense layers run over: those of the step, or of the graph that holds it
  Seconds time(const StepTotals& totals, const DecodeSpread& spread, std::int64_t padded_tokens) const;
  /// Of one layer.
  Seconds attention(const StepTotals& totals, const DecodeSpread& spread) const;
  /// Part of the way from decodes of mean length to decodes of the largest that a skewed batch takes.
  double skew(bool mixed, std::int64_t decodes) const;

 private:
  double attention_at(double chunk, double kv_prefill, double decodes, double kv_decode) const;

  ProfiledNetwork network_;
  InterpolatedTable dense_in_layer_, dense_in_step_, per_sequence_, attention_, skew_, experts_;
  bool mixed_ = false;
};

/// The graph that a step of so many tokens is replayed in: the smallest recorded size that holds them; as
/// many as they are where none does.
std::int64_t padded(std::int64_t tokens, const std::vector<std::int64_t>& graph_sizes);

}  // namespace inferometer
