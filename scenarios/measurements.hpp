#pragma once
#include <string>
#include <vector>

#include "model/result.hpp"
#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {

/// One row of a file of measured kernels.
struct Measurement {
  KernelCall call;
  double microseconds = 0;
  int line = 0;
  double resolution = 0;  ///< us that the time is rounded to; 0: it is not
};

/// Reads measured kernels from CSV: one header line, columns in any order, no quotes. What a file times is
/// told by its columns:
///   dtype,m,n,k,latency_us     matrix products (Gemm)
///   dtype,num_tokens,hidden,inter,topk,num_experts,tp,ep,routing,gated,latency_us[,kernel]
///                              layers of experts on one rank (MoeLayer): num_tokens, num_experts and inter
///                              count over all ranks; routing is balanced or power_law_ALPHA; gated 0 or 1
///   phase,attn_dtype,kv_dtype,batch,q_len,kv_len,num_q_heads,num_kv_heads,head_dim,window,latency_us
///                              attention: phase context (ContextAttention) or generation (DecodeAttention)
///   phase,gemm_dtype,kv_dtype,batch,q_len,kv_len,num_heads,latency_us
///                              modules of latent attention (MlaModule); without gemm_dtype its core
///                              (MlaKernel)
///   op,dtype,num_tokens,num_heads,latency_us    products that latent attention absorbs (MlaBmm)
///   op,dtype,m,k,latency_us    quantisation of inputs (QuantizeKernel)
///   op,dtype,num_gpus,message_bytes,impl,latency_us    collectives (Collective)
///   kernel,batch,seq_len,d_conv,num_k_heads,head_k_dim,num_v_heads,head_v_dim,d_state,nheads,head_dim,n_groups,
///   latency_us                 states of constant size (LinearAttention); fields that a kernel does not need
///                              may be empty
/// Files of a profiler's times, which have min_us,max_us too, are rounded to 1 us:
///   op,tp,m,n,k,min_us,max_us,latency_us    of a layer in fp16: products (Gemm), and where k is 0 what runs
///                              over rows of n (Elementwise)
///   op,num_gpus,gpus_per_node,message_bytes,min_us,max_us,latency_us    exchanges that the host launches,
///   within
///                              a node and between nodes (EagerCollective)
///
/// errors  all at file:line:column: columns that no kernel has, missing fields, what is no number, sizes and
///         times that are not positive, unknown dtypes and routings
[[nodiscard]] Result<std::vector<Measurement>> read_measurements(const std::string& text,
                                                                 const std::string& file);

/// Whether read_measurements() has a kernel for the columns of the file's first line.
bool times_known_kernels(const std::string& text);

}  // namespace inferometer
