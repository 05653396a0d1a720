#pragma once
#include <memory>

#include "executor/cuda/status.hpp"

namespace inferometer::cuda {

/// A step's kernels, recorded once and replayed by one launch.
class RecordedGraph {
 public:
  /// Records what `enqueue` puts on `stream`.
  template <class F>
  [[nodiscard]] static Result<RecordedGraph> of(cudaStream_t stream, F enqueue) {
    if (const Done done = checked(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                                  "cudaStreamBeginCapture");
        !done)
      return failure(done.error());
    const Done enqueued = enqueue();
    cudaGraph_t graph = nullptr;
    const Done ended = checked(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    RecordedGraph recorded;
    cudaGraphExec_t ready = nullptr;
    Done done = !enqueued ? enqueued : ended;
    if (done) done = checked(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (!done) return failure(done.error());
    recorded.ready_.reset(ready);
    return recorded;
  }
  [[nodiscard]] Done replay(cudaStream_t stream) const {
    return checked(cudaGraphLaunch(ready_.get(), stream), "cudaGraphLaunch");
  }

 private:
  struct Destroy {
    void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
  };
  std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, Destroy> ready_;
};

}  // namespace inferometer::cuda
