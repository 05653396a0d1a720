#include "model/case_hash.hpp"

#include <bit>
#include <concepts>
#include <type_traits>

#include "model/seeded.hpp"
#include "model/settings.hpp"

namespace inferometer {
namespace {

/// Structures are taken apart by name, so that a new member does not compile until it is decided here whether
/// it counts.
class Hash {
 public:
  std::uint64_t value() const { return value_; }

  template <class... T>
  void all(const T&... values) {
    (add(values), ...);
  }

  template <class T>
  requires std::integral<T> || std::is_enum_v<T>
  void add(T number) { value_ = mix(value_ ^ mix(static_cast<std::uint64_t>(number))); }
  void add(double number) { add(std::bit_cast<std::uint64_t>(number)); }
  void add(const std::string& text) { add(tensor_key(text.size(), text)); }
  void add(Seconds time) { add(time.count()); }
  void add(Nanoseconds time) { add(time.count()); }
  template <class Tag, class Rep>
  void add(Quantity<Tag, Rep> quantity) {
    add(quantity.value);
  }
  template <class T>
  void add(const Sourced<T>& number) {
    add(number.value);
  }
  template <class T>
  void add(const std::optional<T>& value) {
    add(value.has_value());
    if (value) add(*value);
  }
  template <class T>
  void add(const std::vector<T>& values) {
    add(values.size());
    for (const T& v : values) add(v);
  }
  template <class Key, class T>
  void add(const std::map<Key, T>& values) {
    add(values.size());
    for (const auto& [key, v] : values) all(key, v);
  }

  void add(const Rope& r) {
    const auto& [theta, partial, interleaved, scaling, factor, low, high, original, fast, slow, mscale,
                 mscale_all, attention, truncate] = r;
    all(theta, partial, interleaved, scaling, factor, low, high, original, fast, slow, mscale, mscale_all,
        attention, truncate);
  }
  void add(const LatentAttention& l) {
    const auto& [q_rank, kv_rank, nope, rope, v] = l;
    all(q_rank, kv_rank, nope, rope, v);
  }
  void add(const MixtureOfExperts& m) {
    const auto& [experts, top_k, intermediate, shared, score, softmax_after, normalize, correction, bias,
                 groups, top_groups, rank, scaling, sparse] = m;
    all(experts, top_k, intermediate, shared, score, softmax_after, normalize, correction, bias, groups,
        top_groups, rank, scaling, sparse);
  }
  void add(const Architecture& a) {
    const auto& [name, family, layers, hidden, heads, kv_heads, head_dim, intermediate, vocab, positions,
                 activation, eps, qkv_bias, o_bias, mlp_bias, qk_norm, sinks, tied, scale, rope, window,
                 windowed, latent, moe, dtype] = a;
    all(name, family, layers, hidden, heads, kv_heads, head_dim, intermediate, vocab, positions, activation,
        eps, qkv_bias, o_bias, mlp_bias, qk_norm, sinks, tied, scale, rope, window, windowed, latent, moe,
        dtype);
  }
  void add(const Device& d) {
    const auto& [name, description, kind, memory, bandwidth, cache, cache_bandwidth, retention, processors,
                 clock, matrix, widens, vector, launch, dispatch, link, latency, host_link, power, idle,
                 memory_power, compute_power, price] = d;
    static_cast<void>(description);
    all(name, kind, memory, bandwidth, cache, cache_bandwidth, retention, processors, clock, matrix, widens,
        vector, launch, dispatch, link, latency, host_link, power, idle, memory_power, compute_power, price);
  }
  void add(const Engine& e) {
    const auto& [per_step, per_sequence, reserve, sampler, source] = e;
    static_cast<void>(source);
    all(per_step, per_sequence, reserve, sampler);
  }
  void add(const Cluster& c) {
    const auto& [device, count] = c;
    all(device, count);
  }
  void add(const Request& r) {
    const auto& [arrival, prompt, output, after, first_block, blocks] = r;
    all(arrival, prompt, output, after, first_block, blocks);
  }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace

std::uint64_t case_hash(const Case& c) {
  const auto& [models, cluster, workload, plan, serving, engine, draws] = c;
  // Of these every member is a setting.
  static_cast<void>(workload), static_cast<void>(plan), static_cast<void>(serving), static_cast<void>(draws);
  Hash hash;
  hash.all(settings_hash(c), models, cluster, engine);
  return hash.value();
}

std::uint64_t traffic_hash(const Traffic& traffic) {
  const auto& [requests, blocks, block_tokens, concurrency, client_delay, source, bad_rows] = traffic;
  static_cast<void>(source);
  static_cast<void>(bad_rows);
  Hash hash;
  hash.all(requests, blocks, block_tokens, concurrency, client_delay);
  return hash.value();
}

}  // namespace inferometer
