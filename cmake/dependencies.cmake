# System packages only (apt on Debian 12 and Ubuntu 24.04); nothing is fetched at configure time.
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)  # 0.7 names its target without a namespace
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
find_package(Boost REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)

# Keeps the points of sweeps; without it `sweep:` and `doctor` say that it is needed.
find_package(SQLite3 QUIET)

# Errors as values: tl::expected where it is installed, std::expected (C++23) elsewhere.
find_path(INFEROMETER_TL_EXPECTED tl/expected.hpp)
if(INFEROMETER_TL_EXPECTED)
  target_compile_features(inferometer_options INTERFACE cxx_std_20)
else()
  target_compile_features(inferometer_options INTERFACE cxx_std_23)
endif()

# oneDNN is the CPU backend's matrix library; without it the backend is left out and `doctor` says so. Looked
# for by hand: the package file that Debian ships asks for OpenCL, which nothing here uses.
find_path(INFEROMETER_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp)
find_library(INFEROMETER_DNNL_LIBRARY dnnl)
if(INFEROMETER_DNNL_INCLUDE AND INFEROMETER_DNNL_LIBRARY)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${INFEROMETER_DNNL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${INFEROMETER_DNNL_INCLUDE})
endif()
find_package(OpenMP COMPONENTS CXX QUIET)

# The CUDA backend needs CUDA Toolkit 13 with cuBLASLt and CUPTI; without them it is left out and `doctor` says
# so. ON makes their absence an error.
set(INFEROMETER_CUDA AUTO CACHE STRING "CUDA backend: ON, OFF or AUTO (where the toolkit is found)")
set(INFEROMETER_HAS_CUDA FALSE)
if(NOT INFEROMETER_CUDA STREQUAL "OFF")
  if(INFEROMETER_CUDA STREQUAL "ON")
    find_package(CUDAToolkit 13 REQUIRED)
  else()
    find_package(CUDAToolkit 13 QUIET)
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CUDAToolkit_FOUND AND TARGET CUDA::cublasLt AND TARGET CUDA::cupti AND CMAKE_CUDA_COMPILER)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real)
    endif()
    if(INFEROMETER_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
      set(CMAKE_CUDA_COMPILER_LAUNCHER ${INFEROMETER_CCACHE})
    endif()
    enable_language(CUDA)
    set(INFEROMETER_HAS_CUDA TRUE)
  elseif(INFEROMETER_CUDA STREQUAL "ON")
    message(FATAL_ERROR "INFEROMETER_CUDA is ON, but nvcc, cuBLASLt or CUPTI was not found")
  else()
    message(STATUS "CUDA backend left out: CUDA Toolkit 13 with nvcc, cuBLASLt and CUPTI not found")
  endif()
endif()

# Prompts can be attended by cuDNN where cuDNN 9 and the headers of its frontend are found, in the CUDA Toolkit
# or below a folder of CMAKE_PREFIX_PATH; the Python wheel nvidia-cudnn-frontend brings the headers.
if(INFEROMETER_HAS_CUDA)
  set(INFEROMETER_CUDNN_MISSING "")
  find_path(INFEROMETER_CUDNN_FRONTEND cudnn_frontend.h)
  find_path(INFEROMETER_CUDNN_INCLUDE cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  # The wheel of cuDNN has no name without the version.
  find_library(INFEROMETER_CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${CUDAToolkit_LIBRARY_DIR})
  if(NOT INFEROMETER_CUDNN_FRONTEND)
    set(INFEROMETER_CUDNN_MISSING "cudnn-frontend headers not found")
  elseif(NOT INFEROMETER_CUDNN_INCLUDE OR NOT INFEROMETER_CUDNN_LIBRARY OR NOT TARGET CUDA::nvrtc)
    set(INFEROMETER_CUDNN_MISSING "cudnn.h, libcudnn or libnvrtc not found")
  else()
    file(STRINGS ${INFEROMETER_CUDNN_FRONTEND}/cudnn_frontend_version.h frontend_version
      REGEX "_(MAJOR|MINOR)_VERSION [0-9]")
    string(REGEX REPLACE "[^0-9]+([0-9]+)[^0-9]+([0-9]+)" "\\1.\\2"
      frontend_version "${frontend_version}")
    if(frontend_version VERSION_LESS 1.13)
      set(INFEROMETER_CUDNN_MISSING "cudnn-frontend headers of version ${frontend_version} found, 1.13 is needed")
    endif()
  endif()
  if(INFEROMETER_CUDNN_MISSING)
    message(STATUS "cuDNN attention left out: ${INFEROMETER_CUDNN_MISSING}")
  endif()
endif()
